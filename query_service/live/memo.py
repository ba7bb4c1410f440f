"""Answers that are shared: one computation for all who ask, and a recent answer at once while the next is computed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

_MOST = 500


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value
    version: int
    computed_at: float


class Memo(Generic[Value]):
    """Values by key: one older than `fresh_seconds` is computed again in the background, one older than `stale_seconds`
    is not given any more."""

    def __init__(
        self,
        fresh_seconds: float = 0.25,
        stale_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_seconds, self._stale_seconds, self._clock = fresh_seconds, stale_seconds, clock
        self._entries: dict[Hashable, _Entry[Value]] = {}
        self._running: dict[Hashable, asyncio.Task[None]] = {}

    async def get(
        self, key: Hashable, version: Callable[[], int], compute: Callable[[], Awaitable[Value]], *, is_newest: bool
    ) -> Value:
        """The value of a key. `is_newest`: one computed from what is known now, at least `version()`."""
        wanted = version() if is_newest else None
        while (entry := self._entries.get(key)) is None or not self._serves(entry, wanted):
            await asyncio.shield(self._start(key, version, compute))
            # What was forgotten meanwhile is not waited for.
            wanted = None if wanted is None else min(wanted, version())
        if self._clock() - entry.computed_at > self._fresh_seconds:
            self._start(key, version, compute)
        return entry.value

    def _serves(self, entry: _Entry[Value], wanted: int | None) -> bool:
        age = self._clock() - entry.computed_at
        if wanted is None:
            return age <= self._stale_seconds
        return entry.version >= wanted and age <= self._fresh_seconds

    def _start(
        self, key: Hashable, version: Callable[[], int], compute: Callable[[], Awaitable[Value]]
    ) -> asyncio.Task[None]:
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._compute(key, version, compute))
            running.add_done_callback(lambda task: self._ended(key, task))
        return running

    async def _compute(
        self, key: Hashable, version: Callable[[], int], compute: Callable[[], Awaitable[Value]]
    ) -> None:
        before = version()
        value = await compute()
        self._entries[key] = _Entry(value, before, self._clock())
        if len(self._entries) > _MOST:
            self._forget(self._clock())

    def _ended(self, key: Hashable, task: asyncio.Task[None]) -> None:
        del self._running[key]
        # Whoever waits is told by the task; in the background nobody does, and the next one to ask tries again.
        if not task.cancelled():
            task.exception()

    def _forget(self, now: float) -> None:
        for key in [key for key, entry in self._entries.items() if now - entry.computed_at > self._stale_seconds]:
            del self._entries[key]
