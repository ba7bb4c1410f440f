"""A request to send events, as the endpoints that take events see it."""

import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from litestar.types import HTTPScope, Receive

from ingest_service.gateway.body import decompress, read_body
from ingest_service.gateway.problems import Problem

# From a request's start to its 503, so that a client hears within 2 s that the broker is down. A body that came in
# slowly leaves less of it, but no less than LEAST_SECONDS.
BUDGET_SECONDS = 1.8
LEAST_SECONDS = 0.8


class IngestRequest:
    """One HTTP request; `received_at` is in UTC, header names are lower case."""

    __slots__ = ("_deadline", "_parameters", "_receive", "address", "country", "headers", "received_at", "scope")

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        self.scope, self._receive = scope, receive
        self.received_at = datetime.now(UTC)
        self._deadline = time.monotonic() + BUDGET_SECONDS
        self.headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        client = scope["client"]
        self.address = client[0] if client else ""
        self.country: str | None = None
        self._parameters: dict[str, str] | None = None

    @property
    def deadline(self) -> float:
        """The monotonic instant by which the events must be confirmed, or the answer is 503."""
        return self._deadline

    @property
    def media_type(self) -> str:
        """Content-Type without its parameters, in lower case; empty without one."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; the last of a name counts."""
        if self._parameters is None:
            query = self.scope["query_string"].decode("latin-1")
            self._parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        return self._parameters

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false (the default). Raises Problem 400 for anything else."""
        text = self.parameters.get(name, "false")
        if text not in {"true", "false"}:
            rule = f"The query parameter {name} is true or false."
            raise Problem(400, "Bad Request", f"{name}={text[:50]!r}", field=name, rule=rule)
        return text == "true"

    async def body(self) -> bytes:
        """The body, decompressed. Raises Problem 400, 413 or 415."""
        body = await read_body(self._receive)
        self._deadline = max(self._deadline, time.monotonic() + LEAST_SECONDS)
        return decompress(body, self.headers.get("content-encoding", ""))
