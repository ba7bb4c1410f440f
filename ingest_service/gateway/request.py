"""A request to send events, as the endpoints that take events see it."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from litestar.types import HTTPScope, Receive

from ingest_service.gateway.admission import Admitted
from ingest_service.gateway.body import decompress, drain_body, read_body
from ingest_service.gateway.clients import Clients
from ingest_service.gateway.problems import Problem

# From a request's start to its 503, so that a client hears within 2 s that the broker is down. A body that came in
# slowly leaves less of it, but no less than LEAST_SECONDS.
BUDGET_SECONDS = 1.8
LEAST_SECONDS = 0.8


class IngestRequest:
    """One HTTP request; `received_at` is in UTC, header names are lower case.

    `rate_headers` go with the answer: what is left of the rate of a limited app.
    """

    __slots__ = (
        "_admitted",
        "_deadline",
        "_is_read",
        "_parameters",
        "_receive",
        "address",
        "country",
        "headers",
        "rate_headers",
        "received_at",
        "scope",
    )

    def __init__(self, scope: HTTPScope, receive: Receive, clients: Clients) -> None:
        self.scope, self._receive = scope, receive
        self._admitted: Admitted | None = None
        self._is_read = False
        self.received_at = datetime.now(UTC)
        self._deadline = time.monotonic() + BUDGET_SECONDS
        self.headers = _joined(scope["headers"])
        client = scope["client"]
        # Of the client, for this request only: written to no log, no metric and no envelope.
        self.address, self.country = clients.locate(client[0] if client else "", self.headers)
        self._parameters: dict[str, str] | None = None
        self.rate_headers: dict[str, str] = {}

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

    def admit(self, admitted: Admitted) -> None:
        """Have the body's bytes counted on a place in the gateway."""
        self._admitted = admitted

    async def body(self) -> bytes:
        """The body, decompressed. Raises Problem 400, 408, 413 or 415, and 503 where the gateway holds too much."""
        hold = self._admitted.hold if self._admitted is not None else _no_limit
        self._is_read = True
        body = await read_body(self._receive, hold)
        self._deadline = max(self._deadline, time.monotonic() + LEAST_SECONDS)
        encoding = self.headers.get("content-encoding")
        if not encoding:
            return body
        plain = decompress(body, encoding)
        hold(len(plain))
        return plain

    async def drain(self) -> None:
        """Take in, unkept, what a refused client still sends: it reads the answer only afterwards."""
        if not self._is_read and self.headers.get("content-length", "0") != "0":
            await drain_body(self._receive)


def _no_limit(_size: int) -> None:
    """Hold bytes of a request that has no place in the gateway."""


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; those that come several times are joined by commas (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, value in pairs:
        name = raw_name.decode("latin-1")
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
