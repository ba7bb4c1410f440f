"""What is looked up once a second however many ask."""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Found = TypeVar("Found")

# What changes meanwhile is seen as it was for so long.
TTL_SECONDS = 1.0
_MOST = 10_000


class Remembered(Generic[Found]):
    """Values by key, each at most TTL_SECONDS old when it is given."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Hashable, tuple[Found, float]] = {}

    async def get(self, key: Hashable, look_up: Callable[[], Awaitable[Found]]) -> Found:
        """The value; raises what `look_up` raises."""
        known = self._known.get(key)
        if known is not None and known[1] > self._clock():
            return known[0]
        asked_at = self._clock()
        value = await look_up()
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (value, asked_at + TTL_SECONDS)
        return value
