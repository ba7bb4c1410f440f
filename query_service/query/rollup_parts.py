"""The rows of one rollup that a question needs, as a branch of its statement."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString

from eventmill.analysis.filters import Op
from query_service.query.catalog import GOAL, METRIC, REVENUE, SESSION, Rollup
from query_service.query.planner import PAIRS, TOTAL, Part
from query_service.query.spec import QuerySpec

# The columns that every part fills: five counts, a number, an amount, a currency.
_COLUMNS: Mapping[str, LiteralString] = {
    METRIC.name: "events, page_views, users, visitors, sessions, null::double precision, null::numeric, null::text",
    SESSION.name: "sessions_started, sessions_with_views, bounces, views, null::bigint, duration_seconds,"
    " null::numeric, null::text",
    REVENUE.name: "events, null::bigint, null::bigint, null::bigint, null::bigint, null::double precision, revenue,"
    " currency",
    GOAL.name: "events, visitors, sessions, null::bigint, null::bigint, null::double precision, null::numeric,"
    " null::text",
}
_SUMS: Mapping[str, LiteralString] = {
    METRIC.name: "sum(events)::bigint, sum(page_views)::bigint, null::bigint, null::bigint, null::bigint,"
    " null::double precision, null::numeric, null::text",
    SESSION.name: "sum(sessions_started)::bigint, sum(sessions_with_views)::bigint, sum(bounces)::bigint,"
    " sum(views)::bigint, null::bigint, sum(duration_seconds), null::numeric, null::text",
    REVENUE.name: "sum(events)::bigint, null::bigint, null::bigint, null::bigint, null::bigint,"
    " null::double precision, sum(revenue), currency",
    GOAL.name: "sum(events)::bigint, null::bigint, sum(sessions)::bigint, null::bigint, null::bigint,"
    " null::double precision, null::numeric, null::text",
}
# Where a measure's column lies among those, after part, period_start, traffic, value_kind and value.
PLACES: Mapping[str, Mapping[str, int]] = {
    METRIC.name: {"events": 5, "page_views": 6, "users": 7, "visitors": 8, "sessions": 9},
    SESSION.name: {"sessions_started": 5, "sessions_with_views": 6, "bounces": 7, "views": 8, "duration_seconds": 10},
    REVENUE.name: {"revenue": 11},
    GOAL.name: {"sessions": 7},
}
AMOUNT = PLACES[REVENUE.name]["revenue"]
CURRENCY = AMOUNT + 1


_ROWS: LiteralString = """
    union all
    select $n, period_start, traffic, value_kind, value, $columns
    from rollups.$rollup
    where app_id = %(app_id)s and $grain period_start = any(%(starts_$n)s::text::timestamptz[])
        and traffic = any(%(traffics_$n)s) and dimension = %(dimension_$n)s $cut
"""
_GROUPED: LiteralString = """
    union all
    select $n, min(period_start), traffic, value_kind, value, $columns
    from rollups.$rollup
    where app_id = %(app_id)s and $grain period_start = any(%(starts_$n)s::text::timestamptz[])
        and traffic = any(%(traffics_$n)s) and dimension = %(dimension_$n)s $cut
    group by traffic, value_kind, value $currency
"""
_GRAIN: LiteralString = "grain = %(grain_$n)s and"
# Days alone, and the rows of every goal.
_GOAL: LiteralString = "goal_id = (select goal_id from goal) and"
# Each is one entry of the primary key per period.
_ONE: LiteralString = "and value_kind = %(kind_$n)s and value = %(value_$n)s"
_OTHER: LiteralString = "and value_kind = 'other' and value = ''"
_ALL_VALUES: LiteralString = ""


def part_text(spec: QuerySpec, part: Part, number: int) -> LiteralString:
    """One or two branches `union all select …` with the columns of the statement's first row."""
    is_one_sum = part.is_added_up and len(part.buckets) == 1
    return _branches(part.rollup, _cuts(spec, part), number, is_one_sum=is_one_sum)


@lru_cache(maxsize=256)
def _branches(rollup: Rollup, cuts: tuple[LiteralString, ...], number: int, *, is_one_sum: bool) -> LiteralString:
    columns = (_SUMS if is_one_sum else _COLUMNS)[rollup.name]
    branch = (_GROUPED if is_one_sum else _ROWS).replace("$columns", columns).replace("$rollup", rollup.name)
    branch = branch.replace("$grain", _GOAL if rollup is GOAL else _GRAIN)
    branch = branch.replace("$currency", ", currency" if rollup is REVENUE else "")
    return "".join(branch.replace("$cut", cut) for cut in cuts).replace("$n", str(number))


def part_values(spec: QuerySpec, part: Part, number: int) -> dict[str, Any]:
    """What the branches bind."""
    values = {
        "starts": _array(part.starts),
        "traffics": sorted({traffic_of(spec, measure.is_of_all) for measure in part.measures}),
        "dimension": part.dimension,
        "grain": part.grain,
    }
    kind, value = "total", ""
    if part.dimension != TOTAL and spec.filters:
        (condition, *_) = spec.filters
        is_missing = condition.op == Op.IS_NOT_SET
        kind, value = ("not_set", "") if is_missing else ("value", str(condition.values[0]))
    return {f"{name}_{number}": one for name, one in (values | {"kind": kind, "value": value}).items()}


@lru_cache(maxsize=512)
def _array(starts: tuple[datetime, ...]) -> str:
    """As Postgres writes an array: one text is bound in a tenth of the time of hundreds of instants."""
    return f"{{{','.join(at.isoformat() for at in starts)}}}"


def traffic_of(spec: QuerySpec, is_of_all: bool) -> str:
    """Whose rows a measure is read from."""
    return "all" if is_of_all or spec.include_bots else "human"


def _cuts(spec: QuerySpec, part: Part) -> tuple[LiteralString, ...]:
    if part.dimension == TOTAL:
        return (_ONE,)
    if part.dimension in PAIRS or not spec.filters:
        return (_ALL_VALUES,)
    return (_ONE,) if spec.filters[0].op == Op.IS_NOT_SET else (_ONE, _OTHER)
