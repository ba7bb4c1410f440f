"""One statement per question: how fresh the periods in range are, and their rows, as of one instant.

The first row holds the freshness as JSON in the column `value`; those after it are the parts' rows. The text is put
together of fixed fragments; every value is bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString

from query_service.query.catalog import METRIC
from query_service.query.periods import period_start
from query_service.query.planner import Part
from query_service.query.rollup_parts import part_text, part_values, traffic_of
from query_service.query.spec import QuerySpec
from query_service.query.uniques import span_days

# Table and grain in rollups.periods, and the instants between which periods begin.
Span = tuple[str, str, datetime, datetime]

FRESHNESS = "freshness"
# More rows than that are for the lake, or for a coarser question.
MAX_READ = 100_000

_LIMIT: LiteralString = "limit 100001"
# Complete up to where the lake is, unless a period in range waits to be computed again: then up to where its first new
# event came in. `least` skips nulls, so an unknown lake must be told apart. `version` changes with every computation of
# a period in range.
_FRESHNESS: LiteralString = """
    with touched as ($touched),
    by_table as (
        select table_name, min(dirty_since) as dirty_since, sum(late_pending) as late_pending,
            max(definition_version) as definition_version, count(distinct definition_version) > 1 as is_mixed
        from touched
        group by table_name
    ),
    goal as (
        select goal_id from control.goal
        where app_id = %(app_id)s and %(goal)s::text in (goal_id::text, identifier)
    ),
    last_event as (
        select last_received_at from rollups.ingest_accounting
        where app_id = %(app_id)s order by hour desc limit 1
    ),
    daily as (select $daily as is_any),
    freshness as (
        select now() as as_of,
            (select case when complete_through is not null
                then least(complete_through, (select min(dirty_since) from by_table)) end
            from rollups.lake_progress) as complete_through,
            coalesce((select max(late_pending) from by_table), 0)::bigint as late_pending,
            (select string_agg(definition_version, '+' order by table_name) from by_table) as definition_version,
            coalesce((select bool_or(is_mixed) from by_table), false) as is_mixed,
            (select last_received_at from last_event) as last_event_at,
            (select silent_since from rollups.silence where app_id = %(app_id)s
                and silent_since >= (select last_received_at from last_event)) as silent_since,
            (select count(*) || '-' || coalesce(sum((extract(epoch from computed_at) * 1000000)::bigint), 0)
            from touched) || coalesce((select goal_id::text from goal), '')
            || case when (select is_any from daily) then '-daily' else '' end as version,
            (select goal_id from goal) as goal_id,
            (select is_any from daily) as has_daily_visitors
    )
    select -1 as part, null::timestamptz as period_start, ''::text as traffic, 'freshness'::text as value_kind,
        to_json(freshness)::text as value, null::bigint as a, null::bigint as b, null::bigint as c, null::bigint as d,
        null::bigint as e, null::double precision as f, null::numeric as g, null::text as h
    from freshness
"""
# The same version, alone: what tells whether a kept answer still holds.
_VERSION: LiteralString = """
    select count(*) || '-' || coalesce(sum((extract(epoch from computed_at) * 1000000)::bigint), 0) || coalesce((
        select goal_id::text from control.goal
        where app_id = %(app_id)s and %(goal)s::text in (goal_id::text, identifier)
    ), '') || case when $daily then '-daily' else '' end
    from ($touched) as touched
"""
# Whether visitors were counted whose ids hold for a day: asked where the answer counts such over several.
_DAILY: LiteralString = """exists (
        select from rollups.daily_visitor
        where app_id = %(app_id)s and traffic = %(daily_of)s
            and period_start >= %(daily_low)s and period_start < %(daily_high)s
    )"""
# A branch for each table and grain: a join with a list of them takes longer to plan than to run.
_TOUCHED: LiteralString = """
    select table_name, dirty_since, late_pending, definition_version, computed_at
    from rollups.periods
    where table_name = %(table_$n)s and app_id = %(app_id)s and grain = %(grain_$n)s
        and period_start >= %(low_$n)s and period_start < %(high_$n)s
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement and its values."""

    text: LiteralString
    values: Mapping[str, Any]


def statement(spec: QuerySpec, parts: Sequence[Part]) -> Asked:
    """Freshness, and the rows of the parts, which cover the question's range."""
    asked = _about(_FRESHNESS, spec, _spans(spec, parts))
    text, values = asked.text, {**asked.values}
    for number, part in enumerate(parts):
        text += part_text(spec, part, number)
        values |= part_values(spec, part, number)
    return Asked(text + _LIMIT, values)


def freshness(spec: QuerySpec, tables: Sequence[str]) -> Asked:
    """How fresh the days of the range are in some tables of rollups.periods."""
    low, high = spec.range.instants
    low = period_start(low, "day", spec.tenant.time_zone)
    return _about(_FRESHNESS, spec, [(name, "day", low, high) for name in tables or (METRIC.periods,)])


def version(spec: QuerySpec, parts: Sequence[Part]) -> Asked:
    """The version that the statement of these parts would find, in one row."""
    return _about(_VERSION, spec, _spans(spec, parts))


def _spans(spec: QuerySpec, parts: Sequence[Part]) -> list[Span]:
    """The periods that the parts rest on."""
    zone, week_start = spec.tenant.time_zone, spec.tenant.week_start
    spans = set()
    for part in parts:
        # Tables other than that of the counts are kept up day by day.
        grain = part.grain if part.rollup is METRIC else "day"
        low = period_start(part.starts[0], grain, zone, week_start)
        spans.add((part.rollup.periods, grain, low, spec.range.instants[1]))
    return sorted(spans)


def _about(text: LiteralString, spec: QuerySpec, spans: Sequence[Span]) -> Asked:
    low, high = spec.range.instants
    values: dict[str, Any] = {
        "app_id": spec.tenant.app_id,
        "goal": spec.goal,
        "daily_of": traffic_of(spec, is_of_all=False),
        "daily_low": period_start(low, "day", spec.tenant.time_zone),
        "daily_high": high,
    }
    for number, span in enumerate(spans):
        values |= {
            f"{name}_{number}": value for name, value in zip(("table", "grain", "low", "high"), span, strict=True)
        }
    return Asked(_filled(text, len(spans), has_daily=span_days(spec)), values)


@lru_cache(maxsize=64)
def _filled(text: LiteralString, spans: int, *, has_daily: bool) -> LiteralString:
    touched = " union all ".join(_TOUCHED.replace("$n", str(number)) for number in range(spans))
    return text.replace("$touched", touched).replace("$daily", _DAILY if has_daily else "false")
