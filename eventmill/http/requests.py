"""Around every request: an id, a log line, a count, and knowing when the last one is answered."""

import asyncio
import re
import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from eventmill.contracts.decode import uuid7

REQUEST_ID_HEADER = b"x-request-id"
_REQUEST_ID = re.compile(rb"[\w.:-]{1,100}", re.ASCII)
# A path of Segment's holds a key; keys are never logged.
_KEY = re.compile(r"em_[a-z]_[\w-]+", re.ASCII)
_PROBES = ("/health/", "/metrics", "/api/health")

logger = structlog.get_logger(__name__)


class RequestLog:
    """ASGI wrapper; the request's id comes from `X-Request-Id`, else it is a new one, and goes back in that header.

    `answered` counts by status, `seconds` observes durations; probes of health and metrics are in neither.
    """

    def __init__(self, app: ASGIApp, answered: Counter, seconds: Histogram | None = None) -> None:
        self._app = app
        self._answered = answered
        self._seconds = seconds
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._serve(scope, receive, send)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        started = time.monotonic()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, request_id)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode("ascii")):
            await self._app(scope, receive, send_with_id)
            if not scope["path"].startswith(_PROBES):
                self._note(scope, status, time.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        self._answered.labels(status).inc()
        if self._seconds is not None:
            self._seconds.observe(seconds)
        log = logger.debug if status < 400 else logger.info
        path = _KEY.sub("em_…", scope["path"])
        log("request", method=scope.get("method"), path=path, status=status, seconds=round(seconds, 6))

    async def drained(self, timeout_seconds: float) -> bool:
        """Wait until no request is in flight; False where some still were when the time was over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            return bytes(value)
    return str(uuid7()).encode("ascii")
