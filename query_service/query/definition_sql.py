"""Statements that read saved goals, cohorts and funnels, and their results. Each takes `app_id`."""

from collections.abc import Mapping
from typing import Any, LiteralString

from query_service.query.model import Tenant
from query_service.query.ranges import DateRange
from query_service.query.sql import Plan

# `reference` is an id or an identifier; null is all of the app.
_GOALS: LiteralString = """
    select saved.goal_id::text as id, saved.identifier, saved.name, saved.definition -> 'filter' as filter,
        saved.created_at, saved.definition, null::timestamptz as computed_at, null::timestamptz as complete_through,
        null::text as definition_version, true as is_exact, null::bigint as daily_visitors
    from control.goal as saved
    where saved.app_id = %(app_id)s
        and (%(reference)s::text is null or %(reference)s in (saved.goal_id::text, saved.identifier))
    order by saved.name
"""
_COHORTS: LiteralString = """
    select saved.cohort_id::text as id, saved.identifier, saved.name, saved.definition -> 'filter' as filter,
        result.user_count, round(result.retention_rate::numeric, 2)::double precision as retention_rate,
        saved.created_at, saved.definition, result.computed_at, result.complete_through, result.definition_version,
        coalesce(result.is_exact, true) as is_exact, result.daily_visitors
    from control.cohort as saved
    left join rollups.cohort as result using (cohort_id)
    where saved.app_id = %(app_id)s
        and (%(reference)s::text is null or %(reference)s in (saved.cohort_id::text, saved.identifier))
    order by saved.name
"""
_FUNNELS: LiteralString = """
    select saved.funnel_id::text as id, saved.identifier, saved.name, saved.definition -> 'steps' as steps,
        saved.created_at, saved.definition, result.computed_at, result.complete_through, result.definition_version,
        coalesce(result.is_exact, true) as is_exact, null::bigint as daily_visitors, range_from, range_to,
        window_seconds
    from control.funnel as saved
    left join rollups.funnel_step as result
        on result.funnel_id = saved.funnel_id and result.breakdown_kind = 'total' and result.step_no = 1
    where saved.app_id = %(app_id)s
        and (%(reference)s::text is null or %(reference)s in (saved.funnel_id::text, saved.identifier))
    order by saved.name
"""
SAVED: Mapping[str, LiteralString] = {"goal": _GOALS, "cohort": _COHORTS, "funnel": _FUNNELS}

LATE: LiteralString = """
    select now() as now, coalesce(sum(late_pending), 0)::bigint as late_pending
    from rollups.periods where app_id = %(app_id)s and table_name = 'metric' and grain = 'day'
"""
RETENTION: LiteralString = """
    select cohort_date, period_offset, cohort_size, returning_users,
        round(100.0 * returning_users / nullif(cohort_size, 0), 2)::double precision as retention_rate, is_incomplete
    from rollups.cohort_retention
    join control.cohort as saved using (cohort_id)
    where saved.app_id = %(app_id)s and %(reference)s in (saved.cohort_id::text, saved.identifier)
        and interval_kind = %(interval)s and mode = %(mode)s and recurrence = %(recurrence)s
    order by cohort_date, period_offset
"""
# Pooled: all who returned of all who could, over periods that are over.
AVERAGES: LiteralString = """
    select period_offset, sum(cohort_size)::bigint as cohort_size, sum(returning_users)::bigint as returning_users,
        round(100.0 * sum(returning_users) / nullif(sum(cohort_size), 0), 2)::double precision as retention_rate
    from rollups.cohort_retention
    join control.cohort as saved using (cohort_id)
    where saved.app_id = %(app_id)s and %(reference)s in (saved.cohort_id::text, saved.identifier)
        and interval_kind = %(interval)s and mode = %(mode)s and recurrence = %(recurrence)s and not is_incomplete
    group by period_offset
    order by period_offset
"""
STEPS: LiteralString = """
    with steps as (
        select step.*, first_value(users) over path as entered, lag(users) over path as users_before
        from rollups.funnel_step as step
        join control.funnel as saved using (funnel_id)
        where saved.app_id = %(app_id)s and %(reference)s in (saved.funnel_id::text, saved.identifier)
        window path as (partition by breakdown_kind, breakdown_value order by step_no)
    )
    select breakdown_kind, breakdown_value, step_no as step, step_name as name, users,
        round(100.0 * users / nullif(entered, 0), 2)::double precision as conversion_from_start,
        round(100.0 * users / nullif(users_before, 0), 2)::double precision as conversion_from_previous,
        round(100.0 * (users_before - users) / nullif(users_before, 0), 2)::double precision as dropoff_percent,
        in_progress, median_seconds, mean_seconds
    from steps
    order by array_position(array['total', 'value', 'not_set', 'other'], breakdown_kind), entered desc,
        breakdown_value, step_no
"""
_GOAL_DAYS: LiteralString = """
    with reached as (
        select local_date, events, visitors, goal_metric.sessions
        from rollups.goal_metric
        join control.goal as saved using (goal_id)
        where saved.app_id = %(app_id)s and %(reference)s in (saved.goal_id::text, saved.identifier)
            and traffic = 'human' and dimension = 'total' and local_date >= %(start)s and local_date < %(end)s
    ),
    started as (
        select local_date, sessions_started
        from rollups.session_metric
        where app_id = %(app_id)s and grain = 'day' and traffic = 'human' and dimension = 'total'
            and local_date >= %(start)s and local_date < %(end)s
    )
    select local_date as date, coalesce(events, 0) as events, coalesce(visitors, 0) as visitors,
        coalesce(reached.sessions, 0) as sessions_with_goal, coalesce(sessions_started, 0) as sessions,
        round(100.0 * coalesce(reached.sessions, 0) / nullif(sessions_started, 0), 2)::double precision
            as conversion_rate
    from reached full join started using (local_date)
    order by local_date
"""


def plan_goal(tenant: Tenant, reference: str, days: DateRange) -> Plan:
    """Rows date, events, visitors, sessions_with_goal, sessions, conversion_rate (percent); no row without either."""
    values: dict[str, Any] = {"app_id": tenant.app_id, "reference": reference, "start": days.start, "end": days.end}
    return Plan(_GOAL_DAYS, values, tenant.app_id, ("goals", "sessions"), "day", days.instants)
