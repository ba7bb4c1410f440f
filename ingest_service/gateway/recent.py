"""Event ids seen lately: lets an answer say `duplicate`. The counts never rest on it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

WINDOW_SECONDS = 600.0
MAX_IDS = 100_000

EventKey = tuple[str, str]  # app_id, event_id


class RecentIds:
    """The last 100,000 ids of the last 10 minutes, of this process alone."""

    def __init__(self, *, max_ids: int = MAX_IDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_ids, self._clock = max_ids, clock
        self._seen_at: OrderedDict[EventKey, float] = OrderedDict()

    def known(self, keys: Iterable[EventKey]) -> list[bool]:
        """For each key, whether its event was stored lately."""
        horizon, seen_at = self._clock() - WINDOW_SECONDS, self._seen_at.get
        return [seen_at(key, horizon) > horizon for key in keys]

    def add(self, keys: Sequence[EventKey]) -> None:
        """Remember ids whose events the broker has stored; one that is known keeps its instant."""
        now = self._clock()
        for key, is_known in zip(keys, self.known(keys), strict=True):
            if not is_known:
                self._seen_at.pop(key, None)
                self._seen_at[key] = now
        while len(self._seen_at) > self._max_ids:
            self._seen_at.popitem(last=False)
