"""How many events per second an app may send: a token bucket an app, per gateway."""

import math
import time
from collections.abc import Callable, Mapping

from eventmill.contracts.decode import AppRules
from eventmill.http.token_bucket import Bucket, Buckets
from ingest_service.gateway.problems import Problem

# What an app may send at once after a pause: so many seconds' worth of events.
BURST_SECONDS = 2


class Rates:
    """Token buckets: an app's fills with its `events_per_second` and holds two seconds' worth; 0 is no limit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = Buckets(clock)

    def take(self, wanted: Mapping[str, int], apps: Mapping[str, AppRules]) -> dict[str, str]:
        """Take events of each app, all or none; the headers that tell the client what is left, empty without a limit.

        Of several limited apps they tell of the one that has the least left. A request that is larger than the bucket
        is let through when it is full, and what follows waits the longer. Raises Problem 429 where an app's bucket
        holds too few.
        """
        limited = {app_id: count for app_id, count in wanted.items() if apps[app_id].events_per_second}
        left: dict[str, Bucket] = {}
        for app_id, count in limited.items():
            rate = apps[app_id].events_per_second
            bucket = left[app_id] = self._buckets.filled(app_id, rate, rate * BURST_SECONDS)
            missing = min(count, rate * BURST_SECONDS) - bucket.tokens
            if missing > 0:
                raise _too_many(app_id, rate, bucket.tokens, missing / rate)
        if not limited:
            return {}
        for app_id, count in limited.items():
            left[app_id].tokens -= count
        scarcest = min(limited, key=lambda app_id: left[app_id].tokens)
        rate, tokens = apps[scarcest].events_per_second, left[scarcest].tokens
        return _headers(rate, tokens, (rate * BURST_SECONDS - tokens) / rate)


def _headers(rate: int, tokens: float, seconds: float) -> dict[str, str]:
    """The limit, what is left of it, and whole seconds until there is more (a draft of the IETF's HTTP API group)."""
    # draft-ietf-httpapi-ratelimit-headers-07, section 5.
    return {
        "RateLimit-Limit": str(rate * BURST_SECONDS),
        "RateLimit-Remaining": str(max(0, math.floor(tokens))),
        "RateLimit-Reset": str(max(1, math.ceil(seconds))),
    }


def _too_many(app_id: str, rate: int, tokens: float, wait_seconds: float) -> Problem:
    headers = _headers(rate, tokens, wait_seconds)
    headers["Retry-After"] = headers["RateLimit-Reset"]
    detail = f"App {app_id!r} has sent more than its {rate:,} events per second."
    rule = "Nothing was taken: send the same events again, with the same ids, after Retry-After seconds."
    return Problem(429, "Too Many Requests", detail, field="app_id", rule=rule, headers=headers)
