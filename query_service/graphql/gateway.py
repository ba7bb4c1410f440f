"""Sends events to the gateway, so that they are taken in by its rules, whoever sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import structlog
from litestar.connection import ASGIConnection

from eventmill.http.problems import RETRY_AFTER_SECONDS
from eventmill.http.tls import local_context
from eventmill.settings import Settings
from query_service.graphql.refusals import Refusal

SECONDS = 15.0
MAX_CONNECTIONS = 50
# What the gateway may want to know of the client; it believes what it believes of any proxy.
PASSED_ON = ("authorization", "user-agent", "origin", "x-forwarded-for")
CODES = {400: "BAD_USER_INPUT", 401: "UNAUTHENTICATED", 403: "FORBIDDEN", 413: "TOO_LARGE", 429: "RATE_LIMITED"}

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """What a client's own request says; names of headers are lower case."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: ASGIConnection[Any, Any, Any, Any]) -> "Sender":
        """The sender behind a connection."""
        client = connection.client
        return cls(client.host if client else "", {name.lower(): value for name, value in connection.headers.items()})

    def passed_on(self) -> dict[str, str]:
        """Headers for the gateway: the client's own, and its address after those that proxies wrote."""
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        if self.address:
            before = headers.get("x-forwarded-for")
            headers["x-forwarded-for"] = f"{before}, {self.address}" if before else self.address
        return headers


class Gateway:
    """Posts to `/v1/events`; `close` ends its connections."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        own = f"{settings.http_scheme}://127.0.0.1:{settings.ingest_port}"
        verify = local_context(settings) if settings.ingest_url is None else None
        self._client = httpx.AsyncClient(
            base_url=settings.ingest_url or own,
            timeout=SECONDS,
            verify=True if verify is None else verify,
            trust_env=False,
            transport=transport,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        )

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    async def send(self, body: bytes, sender: Sender) -> Mapping[str, Any]:
        """What the gateway answered to a JSON array of events: counts by status, and `events` in their order.

        Raises Refusal where it took none, with its own words.
        """
        headers = sender.passed_on() | {"content-type": "application/json"}
        try:
            answer = await self._client.post("/v1/events", content=body, headers=headers)
        except httpx.HTTPError as error:
            logger.warning("the gateway does not answer", error=str(error) or type(error).__name__)
            raise _unavailable("The gateway does not answer.") from None
        if answer.status_code != 200:
            raise _refused(answer)
        found: dict[str, Any] = msgspec.json.decode(answer.content)
        return found


def _refused(answer: httpx.Response) -> Refusal:
    try:
        said = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        said = {}
    detail = said.get("detail") or f"The gateway answered {answer.status_code}."
    wait = answer.headers.get("retry-after", "")
    retry_after = int(wait) if wait.isdecimal() else None
    if answer.status_code not in CODES:
        return _unavailable(detail, retry_after, said.get("rule"))
    code = CODES[answer.status_code]
    return Refusal(detail, code, field=said.get("field"), rule=said.get("rule"), retry_after=retry_after)


def _unavailable(detail: str, retry_after: int | None = None, rule: str | None = None) -> Refusal:
    return Refusal(detail, "UNAVAILABLE", rule=rule, retry_after=retry_after or RETRY_AFTER_SECONDS)
