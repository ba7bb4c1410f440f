"""The live window as the rest of the service sees it: questions in, answers out, and who wants to know of changes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from query_service.live.cells import can_answer, cells
from query_service.live.memo import Memo
from query_service.live.minute import MINUTE_US
from query_service.live.summary import WINDOWS, public_event, summary
from query_service.live.window import AppWindow
from query_service.live.windows import MEGABYTE, Bounds, Windows
from query_service.query.spec import QuerySpec

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """A summary (`data`), the last events, and the range that they were counted from; see docs/live.md.

    `events` are those for whoever may see people (True) and for everybody else.
    """

    data: Mapping[str, Any]
    events: Mapping[bool, Sequence[Mapping[str, Any]]]
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows of a question, in its order, and up to when everything that was stored is in them."""

    rows: list[dict[str, Any]]
    complete_through: datetime | None


class LiveWindows:
    """Answers from memory. `problem` says why the stream is not read, None where it is."""

    def __init__(self, bounds: Bounds, now_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._windows = Windows(bounds)
        self._now_us = now_us
        self._moments: Memo[Moment] = Memo()
        self._cells: Memo[list[dict[str, Any]]] = Memo()
        self._listeners: Counter[Listener] = Counter()
        self.is_rebuilt = False
        self.problem: str | None = "The stream of events is not read yet."
        self.complete_through: datetime | None = None

    @property
    def bounds(self) -> Bounds:
        """The most that all windows together may take."""
        return self._windows.bounds

    @property
    def rows(self) -> int:
        """Events in all windows."""
        return self._windows.rows

    @property
    def bytes(self) -> int:
        """About how much memory they take."""
        return self._windows.bytes

    @property
    def lag_seconds(self) -> float:
        """How long ago it was that everything stored by then was in the windows; 0 before the first time."""
        through = self.complete_through
        return 0.0 if through is None else max(0.0, (datetime.now(UTC) - through).total_seconds())

    def problems(self) -> str:
        """What keeps the windows from being whole and up to date, `ok` where nothing does."""
        if self.problem is not None:
            return self.problem
        return "ok" if self.is_rebuilt else "The live window is being rebuilt."

    def version(self, app_id: str) -> int:
        """Grows with every change of an app's window."""
        return self._windows.version(app_id)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with the id of every app that has new events; what is returned ends it."""
        self._listeners[listener] += 1

        def end() -> None:
            self._listeners[listener] -= 1
            if not self._listeners[listener]:
                del self._listeners[listener]

        return end

    async def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Add events of some apps."""
        for app_id in await asyncio.to_thread(self._windows.add, tables, self._now_us()):
            for listener in list(self._listeners):
                listener(app_id)

    async def advance(self) -> None:
        """Let go what is too old."""
        await asyncio.to_thread(self._windows.advance, self._now_us())

    def begin_again(self) -> None:
        """Forget everything: the stream is read anew."""
        self._windows.clear()
        self.is_rebuilt = False
        self.complete_through = None

    def forget(self, app_id: str) -> None:
        """Forget an app that does not exist any more."""
        self._windows.forget(app_id)

    async def moment(self, app_id: str, word: str, *, is_newest: bool = False) -> Moment:
        """The summary of one of WINDOWS, at most a second old; `is_newest`: with all events that are in the window."""
        version = partial(self.version, app_id)
        compute = partial(asyncio.to_thread, self._windows.read, app_id, partial(self._moment, word))
        return await self._moments.get((app_id, word), version, compute, is_newest=is_newest)

    def _moment(self, word: str, window: AppWindow) -> Moment:
        now_us = self._now_us()
        start_us = max(now_us - WINDOWS[word] * MINUTE_US, window.start_us(now_us))
        recent = window.recent()
        events = {may: [public_event(event, may_see_people=may) for event in recent] for may in (False, True)}
        return Moment(summary(window, word, now_us), events, start_us, now_us)

    def holds(self, spec: QuerySpec) -> bool:
        """Whether the window knows what is asked for, from the start of the range on."""
        start, _ = spec.range.instants
        since_us = self._windows.start_us(spec.tenant.app_id, self._now_us())
        return self.is_rebuilt and can_answer(spec) and _us(start) >= since_us

    async def query(self, spec: QuerySpec) -> LiveRows:
        """The rows of a question that `holds` said yes to, at most a second old where the range ends now."""
        app_id = spec.tenant.app_id
        through = self.complete_through
        compute = partial(asyncio.to_thread, self._windows.read, app_id, lambda window: cells(window, spec))
        # Minutes are those of the question, to the instant at which it was asked.
        if spec.window is None or spec.granularity is not None:
            return LiveRows(await compute(), through)
        key, version = (app_id, spec.digest(), spec.offset), partial(self.version, app_id)
        return LiveRows(await self._cells.get(key, version, compute, is_newest=False), through)


def bounds_of(rows: int, megabytes: int) -> Bounds:
    """Bounds as the settings give them."""
    return Bounds(rows, megabytes * MEGABYTE)


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
