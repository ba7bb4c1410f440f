"""Around every request: an id, a log line, a count, and knowing when the last one is answered."""

import asyncio
import contextvars
import logging
import os
import re
import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

REQUEST_ID_HEADER = b"x-request-id"
_REQUEST_ID = re.compile(rb"[\w.:-]{1,100}", re.ASCII)
# A path of Segment's holds a key, that of a shared dashboard its token; neither is ever logged.
_KEY = re.compile(r"em_[a-z]_[\w-]+|(?<=/shared/)[^/]+", re.ASCII)
_PROBES = ("/health/", "/metrics", "/api/health")

# What `structlog.contextvars` binds a `request_id` under, without its bookkeeping for each request.
_REQUEST_ID_IN_LOG: contextvars.ContextVar[str] = contextvars.ContextVar(
    f"{structlog.contextvars.STRUCTLOG_KEY_PREFIX}request_id"
)
# A level is asked for here: structlog renders an entry before the standard logger drops it.
_STANDARD_LOGGER = logging.getLogger(__name__)

logger = structlog.get_logger(__name__)


class RequestLog:
    """ASGI wrapper; the request's id comes from `X-Request-Id`, else it is a new one, and goes back in that header.

    `answered` counts by status, `seconds` observes durations; probes of health and metrics are in neither.
    """

    def __init__(self, app: ASGIApp, answered: Counter, seconds: Histogram | None = None) -> None:
        self._app = app
        self._answered = answered
        self._answered_by_status: dict[int, Counter] = {}
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

        bound = _REQUEST_ID_IN_LOG.set(request_id.decode("ascii"))
        try:
            await self._app(scope, receive, send_with_id)
            if not scope["path"].startswith(_PROBES):
                self._note(scope, status, time.monotonic() - started)
        finally:
            _REQUEST_ID_IN_LOG.reset(bound)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        counter = self._answered_by_status.get(status)
        if counter is None:
            counter = self._answered_by_status[status] = self._answered.labels(status)
        counter.inc()
        if self._seconds is not None:
            self._seconds.observe(seconds)
        if status < 400 and not _STANDARD_LOGGER.isEnabledFor(logging.DEBUG):
            return
        log = logger.debug if status < 400 else logger.info
        path = without_secrets(scope["path"])
        log("request", method=scope.get("method"), path=path, status=status, seconds=round(seconds, 6))

    async def drained(self, timeout_seconds: float) -> bool:
        """Wait until no request is in flight; False where some still were when the time was over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def without_secrets(path: str) -> str:
    """The path as it may be logged."""
    return _KEY.sub(lambda found: "em_…" if found[0].startswith("em_") else "…", path)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            return bytes(value)
    return os.urandom(16).hex().encode("ascii")
