"""The counted paths as the rows of an answer."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import duckdb

from eventmill.analysis.funnel_definition import Order
from eventmill.analysis.funnel_events import Scope

BreakdownKind = Literal["total", "value", "not_set", "other"]

MAX_VALUES = 25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FunnelStepRow(NamedTuple):
    """One step of the whole funnel, or of one value of its breakdown.

    `users` are the actors (or sessions) that came this far; rates are percent, null where nobody could and, of the step
    before, at the first step; `in_progress` those of whom this is as far as they came and whose window was still open;
    times are since the step before.
    """

    breakdown_kind: BreakdownKind
    breakdown_value: str
    step_no: int
    step_name: str
    users: int
    conversion_from_start: float | None
    conversion_from_previous: float | None
    dropoff_percent: float | None
    in_progress: int
    median_seconds: float | None
    mean_seconds: float | None


class _Counts(NamedTuple):
    """What is counted of one step."""

    users: int
    in_progress: int
    median_seconds: float | None
    mean_seconds: float | None


def step_rows(
    connection: duckdb.DuckDBPyConnection, scope: Scope, complete_through: datetime | None, paths: str, entries: str
) -> list[FunnelStepRow]:
    """Rows of the total, of the largest values, of those not set and of all others, each for every step.

    `paths` is a table of what `funnel_paths` yields, `entries` one of (actor, value) where the funnel has a breakdown.
    """
    groups = _groups(connection, scope, _open_since(scope, complete_through), paths, entries)
    return [row for kind, value, counts in groups for row in _rows_of(scope, kind, value, counts)]


def _open_since(scope: Scope, complete_through: datetime | None) -> int:
    """The earliest start whose window ends at or after `complete_through`, in microseconds of the range."""
    if complete_through is None:
        return -scope.window
    return (complete_through - _EPOCH) // timedelta(microseconds=1) - scope.start - scope.window


def _groups(
    connection: duckdb.DuckDBPyConnection, scope: Scope, open_since: int, paths: str, entries: str
) -> list[tuple[BreakdownKind, str, list[_Counts]]]:
    """Kind, value and the counts per step of each group, in the order of the answer."""
    sources = [f"select 0 as place, 'total' as kind, '' as value, done, latest, times from {paths}"]
    if scope.definition.breakdown is not None:
        sources.append(_by_value(paths, entries))
    found = [row for one in sources for row in connection.execute(_counts(one, scope, open_since)).fetchall()]
    if not found:
        return [("total", "", [_Counts(0, 0, None, None) for _ in scope.definition.steps])]
    return [
        (kind, value, [_Counts(*counts[at : at + 4]) for at in range(0, len(counts), 4)])
        for kind, value, *counts in found
    ]


def _by_value(paths: str, entries: str) -> str:
    """Paths with the value of their entry; the largest values by actors come first, equal ones by value."""
    return (
        f"with valued as (select value, done, latest, times from {paths} join {entries} using (actor)),"
        " ranked as (select value, row_number() over (order by count(*) desc, value) as place from valued"
        " where value is not null group by value)"
        f" select case when value is null then {MAX_VALUES + 2} else least(place, {MAX_VALUES + 1}) end as place,"
        f" case when value is null then 'not_set' when place <= {MAX_VALUES} then 'value' else 'other' end as kind,"
        f" case when place <= {MAX_VALUES} then value else '' end as value, done, latest, times"
        " from valued left join ranked using (value)"
    )


def _counts(source: str, scope: Scope, open_since: int) -> str:
    """One row per group with four columns per step. A path that ended at the last step is in progress no more."""
    steps = len(scope.definition.steps)
    columns = []
    for step in range(1, steps + 1):
        columns.append(f"count(*) filter (done >= {step})")
        is_open = f"done = {step} and latest >= {open_since}" if step < steps else "false"
        columns.append(f"count(*) filter ({is_open})")
        # Whole microseconds add up to the same mean in whatever order rows come.
        waited = f"times[{step}] - times[{step - 1}]"
        columns += [f"median({waited}) / 1e6", f"avg({waited}) / 1e6"] if step > 1 else ["null", "null"]
    return f"select kind, value, {', '.join(columns)} from ({source}) group by place, kind, value order by place"


def _rows_of(scope: Scope, kind: BreakdownKind, value: str, counts: list[_Counts]) -> list[FunnelStepRow]:
    rows = []
    for step, here in enumerate(counts, 1):
        before = counts[step - 2].users if step > 1 else 0
        rates = (_percent(here.users, counts[0].users), _percent(here.users, before))
        dropoff = _percent(before - here.users, before)
        waits = (here.median_seconds, here.mean_seconds)
        rows.append(
            FunnelStepRow(kind, value, step, _name(scope, step), here.users, *rates, dropoff, here.in_progress, *waits)
        )
    return rows


def _name(scope: Scope, step: int) -> str:
    steps = scope.definition.steps
    return f"any {step} of {len(steps)}" if scope.definition.order is Order.ANY else steps[step - 1].name


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
