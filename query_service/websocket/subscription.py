"""What one id of a connection follows, and what of it waits to be sent."""

import asyncio
from collections.abc import Callable

from query_service.websocket import messages
from query_service.websocket.topic import Snapshot, described


class Subscription:
    """What one id follows. A client that reads slowly misses what is outdated, and holds up nobody."""

    def __init__(self, name: str | None, interval: float, news: asyncio.Event) -> None:
        self.name, self.interval, self._news = name, interval, news
        self.due_at = 0.0
        self.snapshot: Snapshot | None = None
        self.leave: Callable[[], None] = lambda: None
        self.refusal: Exception | None = None
        self._pending: Callable[[], str] | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Replace what was not taken yet."""
        self.snapshot = snapshot
        self._offer(lambda: messages.snapshot(self.name, snapshot.body))

    def show_stale(self, detail: str) -> None:
        """Say that there is no answer."""
        self._offer(lambda: messages.stale(self.name, detail))

    def refuse(self, error: Exception) -> None:
        """Say that there will be none."""
        self.refusal = error
        detail, field, rule = described(error)
        self._offer(lambda: messages.error(self.name, detail, field, rule))

    def waits_seconds(self, now: float) -> float | None:
        """How long until there is something to send; None where there is nothing."""
        return None if self._pending is None else max(0.0, self.due_at - now)

    def take(self, now: float) -> str:
        """The newest message."""
        assert self._pending is not None  # noqa: S101 - asked for once it waits
        make, self._pending = self._pending, None
        self.due_at = now + self.interval
        return make()

    def _offer(self, make: Callable[[], str]) -> None:
        self._pending = make
        self._news.set()
