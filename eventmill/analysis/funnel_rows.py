"""The counted paths as the rows of an answer."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

import duckdb

from eventmill.analysis.funnel_definition import Order
from eventmill.analysis.funnel_events import Scope

BreakdownKind = Literal["total", "value", "not_set", "other"]

MAX_VALUES = 25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FunnelStepRow(NamedTuple):
    """One step of the whole funnel, or of one value of its breakdown.

    `users` are the actors (or sessions) that came this far; rates are percent, null where nobody could; `in_progress`
    those of whom this is as far as they came and whose window was still open; times are since the step before.
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


def step_rows(
    connection: duckdb.DuckDBPyConnection, scope: Scope, complete_through: datetime | None, paths: str, entries: str
) -> list[FunnelStepRow]:
    """Rows of the total, of the largest values, of those not set and of all others, each for every step.

    `paths` is a table of what `funnel_paths` yields, `entries` one of (actor, value) where the funnel has a breakdown.
    """
    counted = _groups(connection, scope, _open_since(scope, complete_through), paths, entries)
    return [row for (kind, value), found in counted.items() for row in _rows_of(scope, kind, value, found)]


def _open_since(scope: Scope, complete_through: datetime | None) -> int:
    """The earliest start whose window ends at or after `complete_through`, in microseconds of the range."""
    if complete_through is None:
        return -scope.window
    return (complete_through - _EPOCH) // timedelta(microseconds=1) - scope.start - scope.window


_Group = tuple[BreakdownKind, str]
_Counts = dict[int, dict[str, Any]]


def _groups(
    connection: duckdb.DuckDBPyConnection, scope: Scope, open_since: int, paths: str, entries: str
) -> dict[_Group, _Counts]:
    """Counts per step that somebody reached, by group in the order of the answer."""
    found: dict[_Group, _Counts] = {("total", ""): {}}
    sources = [f"select 0 as place, 'total' as kind, '' as value, done, latest, times from {paths}"]
    if scope.definition.breakdown is not None:
        sources.append(_by_value(paths, entries))
    for source in sources:
        cursor = connection.execute(_counts(source, scope, open_since))
        names = [column[0] for column in cursor.description or []]
        for row in cursor.fetchall():
            counts = dict(zip(names, row, strict=True))
            group = (cast("BreakdownKind", counts["kind"]), counts["value"])
            found.setdefault(group, {})[counts["step_no"]] = counts
    return found


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
    """One row per group and step. A path that ended at the last step is in progress no more."""
    steps = len(scope.definition.steps)
    return (
        f"with path as ({source}),"
        " step as (select place, kind, value, done, latest, times, unnest(range(1, done + 1)) as step_no from path)"
        " select place, kind, value, step_no, count(*) as users,"
        f" count(*) filter (done = step_no and done < {steps} and latest >= {open_since}) as in_progress,"
        " median((times[step_no] - times[step_no - 1]) / 1e6) as median_seconds,"
        " avg((times[step_no] - times[step_no - 1]) / 1e6) as mean_seconds"
        " from step group by all order by place, kind, value, step_no"
    )


def _rows_of(scope: Scope, kind: BreakdownKind, value: str, counts: _Counts) -> list[FunnelStepRow]:
    users = [counts.get(step, {}).get("users", 0) for step in range(1, len(scope.definition.steps) + 1)]
    return [
        FunnelStepRow(
            kind,
            value,
            step,
            _name(scope, step),
            users[step - 1],
            _percent(users[step - 1], users[0]),
            _percent(users[step - 1], users[max(step - 2, 0)]),
            _percent(users[max(step - 2, 0)] - users[step - 1], users[max(step - 2, 0)]),
            counts.get(step, {}).get("in_progress", 0),
            counts.get(step, {}).get("median_seconds"),
            counts.get(step, {}).get("mean_seconds"),
        )
        for step in range(1, len(users) + 1)
    ]


def _name(scope: Scope, step: int) -> str:
    steps = scope.definition.steps
    return f"any {step} of {len(steps)}" if scope.definition.order is Order.ANY else steps[step - 1].name


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
