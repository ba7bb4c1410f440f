"""Answers questions of version 2 from a window: measures by dimension and minute."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from eventmill.analysis.filters import Condition, Op
from query_service.live.codes import NOT_SET, Flags, Numbers
from query_service.live.minute import TEXT_COLUMNS
from query_service.live.rows import Counts, Rows, compact, distinct_by, with_not_set
from query_service.live.sessions import session_numbers
from query_service.live.window import USER, AppWindow
from query_service.query.spec import TIMESTAMP, QuerySpec

MEASURES = ("events", "page_views", "unique_visitors", "unique_users", "unique_sessions")
DIMENSIONS = TEXT_COLUMNS
SPAN = timedelta(hours=1)
# Beyond, sorting is better than a place for every pair that there could be.
_MOST_PAIRS = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def can_answer(spec: QuerySpec) -> bool:
    """Whether the window knows such things, however far back it reaches."""
    start, end = spec.range.instants
    return (
        spec.granularity in {None, "minute"}
        and end - start <= SPAN
        and spec.compare_range is None
        and len(spec.dimensions) <= 1
        and all(measure.name in MEASURES for measure in spec.measures)
        and all(name in DIMENSIONS for name in spec.dimensions)
        and all(one.op is Op.IS and one.field in DIMENSIONS for one in spec.filters)
    )


def cells(window: AppWindow, spec: QuerySpec) -> list[dict[str, Any]]:
    """Rows of the question, in its order from its offset on, one more than its limit where there are more."""
    asked = _Asked(Rows(window, *(_us(at) for at in spec.range.instants)), spec)
    found = asked.rows()
    for name, direction in reversed(spec.order_by):
        present = [row for row in found if row[name] is not None]
        present.sort(key=lambda row, name=name: row[name], reverse=direction == "desc")  # type: ignore[misc]
        found = present + [row for row in found if row[name] is None]
    return found[spec.offset : spec.offset + spec.limit + 1]


class _Asked:
    """The rows that meet the filters, and the group of each: its dimension's value within its minute."""

    def __init__(self, rows: Rows, spec: QuerySpec) -> None:
        self._rows, self._spec = rows, spec
        self._chosen = np.flatnonzero(self._meets())
        self._people = np.flatnonzero(rows.are_people[self._chosen] | spec.include_bots)
        self._texts: list[str | None] = [None]
        values = np.zeros(len(self._chosen), np.int32)
        if spec.dimensions:
            (name,) = spec.dimensions
            self._texts = [*rows.window.texts[name].texts, None]
            values = with_not_set(rows.column(name)[self._chosen], len(self._texts) - 1)
        # The pairs of a minute and a value that occur, and the number of each row's.
        pairs = values.astype(np.int64)
        if spec.granularity:
            pairs += rows.minutes()[self._chosen] * len(self._texts)
        self._pairs, self._groups = _numbered(pairs)

    def rows(self) -> list[dict[str, Any]]:
        """A row per group that has events; for totals one in any case."""
        measures = {one.name: _MEASURES[one.name](self) for one in self._spec.measures}
        if not len(self._pairs) and not self._spec.dimensions and not self._spec.granularity:
            return [dict.fromkeys(measures, 0)]
        return [
            self._place(int(pair)) | {name: int(counts[number]) for name, counts in measures.items()}
            for number, pair in enumerate(self._pairs)
        ]

    def _place(self, pair: int) -> dict[str, Any]:
        minute, value = divmod(pair, len(self._texts))
        place: dict[str, Any] = {}
        if self._spec.granularity:
            place[TIMESTAMP] = self._spec.buckets[minute]
        return place | dict.fromkeys(self._spec.dimensions, self._texts[value])

    def _meets(self) -> Flags:
        rows = self._rows
        meets = np.ones(len(rows), np.bool_)
        for condition in self._spec.filters:
            meets &= _is_any(rows, condition)
        # A page's numbers are those of its views, as in the rollups.
        if "page_url" in (*self._spec.dimensions, *(one.field for one in self._spec.filters)):
            meets &= rows.are_views
        return meets

    def events(self) -> Counts:
        """Bots included."""
        return np.bincount(self._groups, minlength=len(self._pairs))

    def page_views(self) -> Counts:
        """Page and screen views."""
        viewed = self._people[self._rows.are_views[self._chosen][self._people]]
        return np.bincount(self._groups[viewed], minlength=len(self._pairs))

    def visitors(self) -> Counts:
        """Distinct actors."""
        return self._distinct(self._people, self._actors())

    def users(self) -> Counts:
        """Distinct users."""
        actors = self._actors()
        texts = self._rows.window.persons.texts
        found, places = np.unique(actors, return_inverse=True)
        is_user = np.array([texts[number].startswith(USER) for number in found.tolist()], np.bool_)
        chosen = np.flatnonzero(is_user[places]) if len(found) else np.empty(0, np.intp)
        return self._distinct(self._people[chosen], actors[chosen])

    def sessions(self) -> Counts:
        """Distinct sessions, as far as the rows show them."""
        rows = self._rows
        opened, most = session_numbers(rows, rows.are_people | self._spec.include_bots)
        sessions = opened[self._chosen][self._people]
        chosen = np.flatnonzero(sessions != NOT_SET)
        return self._distinct(self._people[chosen], sessions[chosen], most)

    def _actors(self) -> Numbers:
        actors: Numbers = self._rows.actors[self._chosen][self._people]
        return actors

    def _distinct(self, rows: np.ndarray, values: Numbers, most: int | None = None) -> Counts:
        numbers, count = compact(values, len(self._rows.window.persons) if most is None else most)
        return distinct_by(self._groups[rows], numbers, len(self._pairs), count)


_MEASURES: Mapping[str, Callable[[_Asked], Counts]] = {
    "events": _Asked.events,
    "page_views": _Asked.page_views,
    "unique_visitors": _Asked.visitors,
    "unique_users": _Asked.users,
    "unique_sessions": _Asked.sessions,
}


def _numbered(pairs: Counts) -> tuple[Counts, Counts]:
    """The different pairs, ascending, and the place of each among them."""
    most = int(pairs.max(initial=0)) + 1
    if most > _MOST_PAIRS:
        found, places = np.unique(pairs, return_inverse=True)
        return found, places.astype(np.int64)
    found = np.flatnonzero(np.bincount(pairs, minlength=most))
    places = np.zeros(most, np.int64)
    places[found] = np.arange(len(found))
    return found, places[pairs]


def _is_any(rows: Rows, condition: Condition) -> Flags:
    numbers: Sequence[int] = [rows.window.texts[condition.field].number(str(value)) for value in condition.values]
    known = [number for number in numbers if number != NOT_SET]
    flags: Flags = np.isin(rows.column(condition.field), known)
    return flags


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
