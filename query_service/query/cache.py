"""Keeps answers while the numbers behind them stay as they are, and lets a burst of one question run once.

An answer is kept with the version of what it was computed from. Before it is served again its version is asked for: it
is served only while that is the same, so a number that changed is never served old. Requests that come while it is
asked for share the next asking. See docs/decisions/0022.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from query_service.query.shared import SharedRun

Found = TypeVar("Found")
Outcome = Literal["hit", "miss", "joined"]

MAX_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Kept(Generic[Found]):
    """An answer, the version of what it was computed from, and how to ask for the version of now.

    `size` in bytes; after `ttl_seconds` it is computed again whatever the version says.
    """

    answer: Found
    version: str
    current_version: Callable[[], Awaitable[str]]
    size: int
    ttl_seconds: float


@dataclass(slots=True)
class _Entry(Generic[Found]):
    kept: Kept[Found]
    until: float
    version: SharedRun[str]


@dataclass(slots=True)
class _Flight(Generic[Found]):
    task: asyncio.Task[Kept[Found]]
    number: int
    waiting: int = 0


class AnswerCache(Generic[Found]):
    """At most `max_bytes` of answers; the least recently asked for goes first. `count` hears how each was answered."""

    def __init__(
        self,
        count: Callable[[Outcome], None] = lambda _outcome: None,
        *,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count, self._max_bytes, self._clock = count, max_bytes, clock
        self._entries: OrderedDict[Hashable, _Entry[Found]] = OrderedDict()
        self._flights: dict[Hashable, _Flight[Found]] = {}
        self._arrivals = 0
        self.size = 0

    async def get(self, question: Hashable, compute: Callable[[], Awaitable[Kept[Found]]]) -> Found:
        """The answer to `question`: one that is kept and still holds, one that is being computed, or a new one."""
        self._arrivals += 1
        arrival = self._arrivals
        entry = self._entry(question)
        if entry is not None:
            if await entry.version.get() == entry.kept.version:
                self._count("hit")
                return entry.kept.answer
            self._forget(question, entry)
        flight = self._flights.get(question)
        if flight is not None:
            kept = await self._wait(question, flight)
            # What was read before this request came may have changed in between.
            if flight.number >= arrival or await kept.current_version() == kept.version:
                self._count("joined")
                return kept.answer
        return (await self._compute(question, compute, arrival)).answer

    async def _compute(
        self, question: Hashable, compute: Callable[[], Awaitable[Kept[Found]]], arrival: int
    ) -> Kept[Found]:
        flight = self._flights.get(question)
        if flight is None or flight.number < arrival:
            self._count("miss")
            self._arrivals += 1
            flight = _Flight(asyncio.create_task(self._run(question, compute)), self._arrivals)
            self._flights[question] = flight
        else:
            self._count("joined")
        return await self._wait(question, flight)

    async def _wait(self, question: Hashable, flight: _Flight[Found]) -> Kept[Found]:
        """The flight's answer; when the last one who waits gives up, so does the flight."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(question) is flight:
                    del self._flights[question]

    async def _run(self, question: Hashable, compute: Callable[[], Awaitable[Kept[Found]]]) -> Kept[Found]:
        kept = await compute()
        self._keep(question, kept)
        return kept

    def _entry(self, question: Hashable) -> _Entry[Found] | None:
        entry = self._entries.get(question)
        if entry is None:
            return None
        if entry.until <= self._clock():
            self._forget(question, entry)
            return None
        self._entries.move_to_end(question)
        return entry

    def _keep(self, question: Hashable, kept: Kept[Found]) -> None:
        entry = self._entries.get(question)
        if entry is not None:
            self._forget(question, entry)
        if kept.size > self._max_bytes // 4:
            return
        self._entries[question] = _Entry(kept, self._clock() + kept.ttl_seconds, SharedRun(kept.current_version))
        self.size += kept.size
        while self.size > self._max_bytes:
            self._forget(*next(iter(self._entries.items())))

    def _forget(self, question: Hashable, entry: _Entry[Found]) -> None:
        if self._entries.get(question) is entry:
            del self._entries[question]
            self.size -= entry.kept.size
