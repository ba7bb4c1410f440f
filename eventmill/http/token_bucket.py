"""Token buckets by name: what may happen at once after a pause, and how quickly more may."""

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_BUCKETS = 10_000


@dataclass(slots=True)
class Bucket:
    """What is left in a bucket at an instant of the clock."""

    tokens: float
    filled_at: float


class Buckets:
    """Each fills with `rate` tokens a second up to its capacity; of too many, the one made first is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def filled(self, name: str, rate: float, capacity: float) -> Bucket:
        """The bucket as it is now; a new one is full."""
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self._buckets.pop(next(iter(self._buckets)))
            bucket = self._buckets[name] = Bucket(capacity, now)
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        return bucket
