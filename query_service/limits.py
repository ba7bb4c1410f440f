"""How many requests a credential may make: a token bucket each, per replica."""

import math
import time
from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Message, Scope
from prometheus_client import Counter

from eventmill.http.token_bucket import Buckets
from query_service.access_problems import TooManyRequests

# What may be asked at once after a pause: so many seconds' worth.
BURST_SECONDS = 10
STATE = "rate_limit"


class RequestLimits:
    """`requests_per_second` of each credential, ten seconds' worth at once; 0 is no limit."""

    def __init__(self, requests_per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = requests_per_second
        self.refused: Counter | None = None
        self._buckets = Buckets(clock)

    def take(self, subject: str) -> dict[str, str]:
        """Take one request; the headers that say what is left, empty without a limit. Raises TooManyRequests."""
        if not self._rate:
            return {}
        capacity = self._rate * BURST_SECONDS
        bucket = self._buckets.filled(subject, self._rate, capacity)
        if bucket.tokens < 1:
            if self.refused is not None:
                self.refused.inc()
            wait_seconds = max(1, math.ceil((1 - bucket.tokens) / self._rate))
            headers = _headers(capacity, 0, wait_seconds) | {"Retry-After": str(wait_seconds)}
            raise TooManyRequests(f"More than {self._rate:,} requests per second came with this credential.", headers)
        bucket.tokens -= 1
        return _headers(capacity, math.floor(bucket.tokens), math.ceil((capacity - bucket.tokens) / self._rate))


def note_request(connection: ASGIConnection[Any, Any, Any, Any], subject: str) -> None:
    """Take one request of a credential; `tell_limits` tells what is left. Raises TooManyRequests."""
    limits: RequestLimits = connection.app.state.limits
    connection.state[STATE] = limits.take(subject)


async def limit_strangers(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard of what needs no key: requests of a client's address share a limit."""
    client = connection.client
    note_request(connection, f"address:{client.host if client else ''}")


async def tell_limits(message: Message, scope: Scope) -> None:
    """Litestar hook: add what is left of the credential's limit to the answer's headers."""
    headers = scope["state"].get(STATE) if "state" in scope else None
    if headers and message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message).update(headers)


def _headers(capacity: int, remaining: int, reset_seconds: int) -> dict[str, str]:
    """Policy (quota in a window) and what is left of it (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4)."""
    return {
        "RateLimit-Policy": f'"credential";q={capacity};w={BURST_SECONDS}',
        "RateLimit": f'"credential";r={remaining};t={reset_seconds}',
    }
