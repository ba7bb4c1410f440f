"""The live summary as an answer: what the window shows, today's totals beside it, and what both rest on."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from eventmill.errors import NotReadyError
from query_service.live.memo import Memo
from query_service.live.service import LiveWindows, Moment
from query_service.live.summary import WINDOWS, instant
from query_service.query.answer import BOTS, Answer, Meta
from query_service.query.errors import InvalidParameter
from query_service.query.query_answer import SharedAnswer

DEFAULT_WINDOW = "5m"
# By what the numbers are computed; it changes with what they mean.
DEFINITION = "live-1"
_MOST_KEPT = 500
_TODAY = {
    "events": "events_today",
    "page_views": "page_views_today",
    "users": "users_today",
    "visitors": "visitors_today",
}


class LiveMeta(Meta, kw_only=True):
    """`window_start` is later than asked for where the window has no room, or has only begun to fill.

    `is_rebuilt` False: the stream's last hour is still being read, so events may be missing. `rows` and `bytes` are
    those of all apps together, beside the most that they may be.
    """

    window_start: datetime
    window_end: datetime
    is_rebuilt: bool
    lag_seconds: float
    rows: int
    bytes: int
    max_rows: int
    max_bytes: int


class LiveAnswer(SharedAnswer, kw_only=True, dict=True):
    """The summary of an app's last minutes."""

    data: Mapping[str, Any]
    meta: LiveMeta


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, and what it was made of."""

    answer: LiveAnswer
    moment: Moment
    today: Mapping[str, Any]


def checked_window(word: object) -> str:
    """One of WINDOWS; 5m where nothing is given. Raises InvalidParameter."""
    if word is None:
        return DEFAULT_WINDOW
    if not isinstance(word, str) or word not in WINDOWS:
        raise InvalidParameter("window", f"window={word!r} is not known.", f"One of: {', '.join(WINDOWS)}.")
    return word


class LiveOverview:
    """Summaries by app. `ask_today` answers an app's totals of the running day."""

    def __init__(self, windows: LiveWindows, ask_today: Callable[[str], Awaitable[Answer]]) -> None:
        self.windows, self._ask_today = windows, ask_today
        self._today: Memo[dict[str, Any]] = Memo(fresh_seconds=5.0, stale_seconds=60.0)
        self._updates: Counter[str] = Counter()
        self._kept: dict[tuple[str, str, bool], _Kept] = {}

    def note_update(self, app_id: str) -> None:
        """An app's aggregates have changed."""
        self._updates[app_id] += 1

    def version(self, app_id: str) -> tuple[int, int]:
        """Changes with whatever the summary of an app shows."""
        return self.windows.version(app_id), self._updates[app_id]

    async def answer(self, app_id: str, word: str, *, may_see_people: bool, is_newest: bool = False) -> LiveAnswer:
        """The summary of one of WINDOWS; ids of persons only to whoever may see them."""
        moment = await self.windows.moment(app_id, word, is_newest=is_newest)
        today = await self._today.get(
            app_id, lambda: self._updates[app_id], lambda: self._totals(app_id), is_newest=False
        )
        key = (app_id, word, may_see_people)
        kept = self._kept.get(key)
        if kept is not None and kept.moment is moment and kept.today is today:
            return kept.answer
        shown = {"counters": moment.data["counters"] | today, "events": moment.events[may_see_people]}
        answer = LiveAnswer(data={**moment.data, **shown}, meta=self._meta(moment))
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = _Kept(answer, moment, today)
        return answer

    async def _totals(self, app_id: str) -> dict[str, Any]:
        try:
            [row] = (await self._ask_today(app_id)).data
        except (psycopg.Error, NotReadyError, OSError, TimeoutError):
            # The window does not need Postgres; what it would have said is null.
            return dict.fromkeys(_TODAY.values())
        return {name: row[column] for column, name in _TODAY.items()}

    def _meta(self, moment: Moment) -> LiveMeta:
        windows = self.windows
        start, end = _utc(moment.start_us), _utc(moment.end_us)
        return LiveMeta(
            as_of=end,
            complete_through=windows.complete_through,
            late_pending=0,
            source="live",
            exact=False,
            definition_version=DEFINITION,
            mixed=False,
            bots=BOTS,
            range={"start": instant(moment.start_us), "end": instant(moment.end_us), "time_zone": "UTC"},
            window_start=start,
            window_end=end,
            is_rebuilt=windows.is_rebuilt,
            lag_seconds=round(windows.lag_seconds, 3),
            rows=windows.rows,
            bytes=windows.bytes,
            max_rows=windows.bounds.rows,
            max_bytes=windows.bounds.bytes,
        )


def _utc(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
