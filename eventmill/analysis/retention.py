"""Size and retention of a cohort, from the relations `actor_events` and `actor_first` of a DuckDB connection.

- Period: calendar day, week or month of the app's zone; an offset is a difference of periods.
- Recurrence `first_time`: a person belongs to the period of the first qualifying event ever; `recurring`: to each
  period with one. Only periods whose days lie in the cohort's range count.
- Mode `on`: there in period N; `on_or_after`: there in period N or a later one.
- With the same start and return event everybody is there in period 0; else returns strictly after the start count.
- A period that is not over at `complete_through` is incomplete.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import duckdb

from eventmill.analysis.cohort_people import (
    IN_RANGE,
    range_of,
    use_firsts,
    use_local_days,
    use_members,
    use_returns,
    use_starts,
)
from eventmill.analysis.cohorts import CohortDefinition
from eventmill.analysis.local_days import INTERVALS, Calendar, Interval

Mode = Literal["on", "on_or_after"]
Recurrence = Literal["first_time", "recurring"]
RECURRENCES: tuple[Recurrence, ...] = ("first_time", "recurring")
Counts = dict[tuple[int, int], int]
# The newest periods of people, and the longest offset, that an answer has: cells grow with the square of it.
MAX_PERIODS: dict[Interval, int] = {"day": 90, "week": 104, "month": 60}


@dataclass(frozen=True, slots=True)
class Cell:
    """`returning_users` of `cohort_size` people of one period were there `period_offset` periods later."""

    interval_kind: Interval
    mode: Mode
    recurrence: Recurrence
    cohort_date: date
    period_offset: int
    cohort_size: int
    returning_users: int
    is_incomplete: bool


@dataclass(frozen=True, slots=True)
class CohortResult:
    """People in the cohort, those left out because their id holds for a day, and the cells of every table."""

    user_count: int
    daily_visitors: int
    cells: list[Cell]

    @property
    def retention_rate(self) -> float | None:
        """Percent: the pooled rate of week 1 by first-time users, mode `on`; None where no cell is complete."""
        weekly = [cell for cell in self.cells if (cell.interval_kind, cell.mode) == ("week", "on")]
        return pooled_rate([cell for cell in weekly if cell.recurrence == "first_time" and cell.period_offset == 1])


def pooled_rate(cells: list[Cell]) -> float | None:
    """Percent: all that returned by all that could, over complete cells; None where there is none."""
    complete = [cell for cell in cells if not cell.is_incomplete]
    size = sum(cell.cohort_size for cell in complete)
    return 100 * sum(cell.returning_users for cell in complete) / size if size else None


def compute(
    connection: duckdb.DuckDBPyConnection,
    definition: CohortDefinition,
    calendar: Calendar,
    *,
    app_id: str,
    complete_through: datetime,
    intervals: Sequence[Interval] = INTERVALS,
    recurrences: Sequence[Recurrence] = RECURRENCES,
) -> CohortResult:
    """The cohort's people and cells. Leaves temporary tables named `cohort_…` behind."""
    daily_visitors, returns = _use_people(connection, definition, calendar, app_id, complete_through)
    [(user_count,)] = connection.execute("select count(*) from cohort_members").fetchall()
    today = calendar.local_date(complete_through)
    cells: list[Cell] = []
    for interval in intervals:
        _activity(connection, interval, returns)
        for recurrence in recurrences:
            cells += _cells(connection, definition, calendar, interval, recurrence, today)
    return CohortResult(int(user_count), daily_visitors, cells)


@dataclass(frozen=True, slots=True)
class CellKey:
    """Names a cell: the people of the period that begins on `cohort_date`, `period_offset` periods later."""

    interval_kind: Interval
    mode: Mode
    recurrence: Recurrence
    cohort_date: date
    period_offset: int | None


def people(
    connection: duckdb.DuckDBPyConnection,
    definition: CohortDefinition,
    calendar: Calendar,
    *,
    app_id: str,
    complete_through: datetime,
    cell: CellKey | None,
) -> str:
    """A query of `actor`: everybody in the cohort, or those that a cell counts.

    A cell without `period_offset` has all people of its period. Leaves temporary tables behind, which the query reads.
    """
    _, returns = _use_people(connection, definition, calendar, app_id, complete_through)
    if cell is None:
        return "select actor from cohort_members"
    _activity(connection, cell.interval_kind, returns)
    number = calendar.number(cell.interval_kind, cell.cohort_date)
    _entries(connection, definition, cell.interval_kind, cell.recurrence, (number, number))
    if cell.period_offset is None:
        return "select actor from cohort_entries join cohort_members using (member)"
    active, sign = ("cohort_activity", "=") if cell.mode == "on" else ("cohort_last", ">=")
    period = number + cell.period_offset
    is_after = f"active_no > {number} or {'true' if definition.returns_by_start_event else 'last_at > first_at'}"
    return (
        f"select actor from cohort_entries join {active} using (member) join cohort_members using (member)"
        f" where active_no {sign} {period} and ({is_after})"
    )


def _use_people(
    connection: duckdb.DuckDBPyConnection,
    definition: CohortDefinition,
    calendar: Calendar,
    app_id: str,
    complete_through: datetime,
) -> tuple[int, str]:
    """Make the tables of the cohort's people; returns how many were left out, and the relation of their returns."""
    use_local_days(connection, calendar, app_id, complete_through)
    use_starts(connection, definition, app_id)
    use_firsts(connection, definition, app_id)
    daily_visitors = use_members(connection, definition)
    return daily_visitors, use_returns(connection, definition, app_id)


def _cells(
    connection: duckdb.DuckDBPyConnection,
    definition: CohortDefinition,
    calendar: Calendar,
    interval: Interval,
    recurrence: Recurrence,
    today: date,
) -> Iterator[Cell]:
    """All cells of one table, zeros included, of the newest periods that have people."""
    current = calendar.number(interval, today)
    newest = today if definition.end is None else min(today, definition.end - timedelta(days=1))
    last = calendar.number(interval, newest)
    _entries(connection, definition, interval, recurrence, (last - MAX_PERIODS[interval] + 1, last))
    sizes = connection.execute("select cohort_no, count(*) from cohort_entries group by all order by all").fetchall()
    on, after = _returned(connection, definition)
    for cohort_no, size in sizes:
        for offset in range(min(current - cohort_no + 1, MAX_PERIODS[interval])):
            is_incomplete = cohort_no + offset == current
            first_day = calendar.start(interval, cohort_no)
            of_mode: tuple[tuple[Mode, int], ...] = (
                ("on", on.get((cohort_no, offset), 0)),
                ("on_or_after", after.get((cohort_no, offset), 0)),
            )
            for mode, returning in of_mode:
                yield Cell(interval, mode, recurrence, first_day, offset, size, returning, is_incomplete)


def _entries(
    connection: duckdb.DuckDBPyConnection,
    definition: CohortDefinition,
    interval: Interval,
    recurrence: Recurrence,
    periods: tuple[int, int],
) -> None:
    """`cohort_entries`: each member in each period that it belongs to, since when."""
    source = "cohort_member_firsts" if recurrence == "first_time" else "cohort_member_starts"
    connection.execute(
        f"create or replace temp table cohort_entries as select member, {interval}_no as cohort_no,"
        f" min(first_at) as first_at from {source} where {IN_RANGE} and {interval}_no between ? and ? group by all",
        [*range_of(definition), *periods],
    )


def _activity(connection: duckdb.DuckDBPyConnection, interval: Interval, returns: str) -> None:
    """`cohort_activity`: the periods in which each member was there; `cohort_last`: the last of them."""
    connection.execute(
        f"create or replace temp table cohort_activity as select member, {interval}_no as active_no,"
        f" max(last_at) as last_at from {returns} group by all"
    )
    connection.execute(
        "create or replace temp table cohort_last as select member, max(active_no) as active_no,"
        " max(last_at) as last_at from cohort_activity group by member"
    )


def _returned(connection: duckdb.DuckDBPyConnection, definition: CohortDefinition) -> tuple[Counts, Counts]:
    """How many of a period's people were there so many periods later: in that period, and then or later."""
    pairs = (
        "select cohort_no, active_no - cohort_no as period_offset, count(*) from cohort_entries join {} using (member)"
        " where active_no > cohort_no or (active_no = cohort_no and (? or last_at > first_at)) group by all"
    )
    same = [definition.returns_by_start_event]
    on = connection.execute(pairs.format("cohort_activity"), same).fetchall()
    last = connection.execute(pairs.format("cohort_last"), same).fetchall()
    return {(cohort_no, offset): count for cohort_no, offset, count in on}, _or_later(last)


def _or_later(last: list[tuple[int, int, int]]) -> Counts:
    """People by the last offset at which they were there, added up from the end."""
    counts: Counts = {}
    for cohort_no, offset, count in last:
        for earlier in range(offset + 1):
            counts[cohort_no, earlier] = counts.get((cohort_no, earlier), 0) + count
    return counts
