"""Event ids seen lately: lets an answer say `duplicate`. The counts never rest on it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

WINDOW_SECONDS = 600.0
MAX_IDS = 100_000

EventKey = tuple[str, str]  # app_id, event_id


class RecentIds:
    """The last 100,000 ids of the last 10 minutes, of this process alone."""

    def __init__(self, *, max_ids: int = MAX_IDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_ids, self._clock = max_ids, clock
        self._seen_at: OrderedDict[EventKey, float] = OrderedDict()

    def __contains__(self, key: EventKey) -> bool:
        seen_at = self._seen_at.get(key)
        return seen_at is not None and self._clock() - seen_at < WINDOW_SECONDS

    def add(self, keys: Iterable[EventKey]) -> None:
        """Remember ids whose events the broker has stored."""
        now = self._clock()
        for key in keys:
            if key not in self:
                self._seen_at.pop(key, None)
                self._seen_at[key] = now
        while len(self._seen_at) > self._max_ids:
            self._seen_at.popitem(last=False)
