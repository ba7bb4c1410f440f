"""Plans for what was watched: anomalies, restatements, and the health of an app's numbers."""

from collections.abc import Mapping
from typing import LiteralString

from query_service.query.sql import METRIC, Plan
from query_service.query.watch_model import AnomalyQuery, RestatementQuery

_ANOMALIES: LiteralString = """
    select period_start as timestamp, metric, current_value as current_views, previous_value as prev_views,
        change_pct, expected_value as expected, deviation, weeks_compared, is_partial, is_anomaly
    from rollups.hourly_anomaly
    where app_id = %(app_id)s and period_start >= %(start)s and period_start < %(end)s
        and (%(metric)s::text is null or metric = %(metric)s) and (is_anomaly or not %(is_flagged)s)
        and (%(after)s::timestamptz is null or (period_start, metric) > (%(after)s::timestamptz, %(after_metric)s))
    order by period_start, metric
    limit %(limit)s
"""
_RESTATEMENTS: LiteralString = """
    select restatement_id, restated_at, table_name as table, grain as granularity, period_start as timestamp, metric,
        value_before, value_after, coalesce(value_after, 0) - coalesce(value_before, 0) as difference, rows_changed,
        cause
    from rollups.restatement
    where app_id = %(app_id)s and restated_at >= %(start)s and restated_at < %(end)s
        and (%(before_id)s::bigint is null or restatement_id < %(before_id)s::bigint)
    order by restatement_id desc
    limit %(limit)s
"""
# What an app's health is told from; every statement takes app_id alone.
HEALTH: Mapping[str, LiteralString] = {
    "lake": """
        select now() as as_of, complete_through, extract(epoch from now() - complete_through)::double precision
            as lag_seconds
        from (select null) as one left join rollups.lake_progress on true
    """,
    # A period that is dirty is complete up to where its first new event came in.
    "tables": """
        select table_name as table, grain as granularity, count(*) filter (where dirty_since is not null) as dirty,
            sum(late_pending)::bigint as late_pending, max(computed_at) as computed_at,
            min(dirty_since) as dirty_since
        from rollups.periods where app_id = %(app_id)s group by table_name, grain
        union all
        select 'cohorts', 'all', 0, 0, min(computed_at), min(complete_through) from rollups.cohort
        where app_id = %(app_id)s having count(*) > 0
        union all
        select 'funnels', 'all', 0, 0, min(computed_at), min(complete_through) from rollups.funnel_step
        where app_id = %(app_id)s having count(*) > 0
        order by 1, 2
    """,
    "quarantine": """
        select reason, sum(events)::bigint as events from rollups.ingest_reason
        where app_id = %(app_id)s and outcome = 'quarantined' and hour > now() - interval '25 hours'
        group by reason order by 2 desc, 1
    """,
    "accounting": """
        select count(*) as hours, count(*) filter (where is_complete) as complete_hours,
            count(*) filter (where is_complete and not is_balanced) as unbalanced_hours,
            coalesce(sum(received), 0)::bigint as received, coalesce(sum(stored), 0)::bigint as stored,
            coalesce(sum(window_duplicate), 0)::bigint as window_duplicate,
            coalesce(sum(quarantined), 0)::bigint as quarantined, coalesce(sum(filtered), 0)::bigint as filtered,
            coalesce(sum(later_duplicate), 0)::bigint as later_duplicate
        from marts.ingest_accounting where app_id = %(app_id)s and hour > now() - interval '25 hours'
    """,
    "anomalies": """
        select period_start as timestamp, metric, current_value as current_views, previous_value as prev_views,
            change_pct, expected_value as expected, is_partial
        from rollups.hourly_anomaly
        where app_id = %(app_id)s and is_anomaly and period_start > now() - interval '25 hours'
        order by period_start desc, metric limit 50
    """,
    # Of a check that names apps, those that it names; of another one nothing but that it fails.
    "checks": """
        select asset_key as asset, check_name as check, severity, evaluated_at,
            coalesce(findings -> %(app_id)s, '[]') as findings
        from rollups.check_result
        where not has_passed and (findings is null or findings = '{}' or findings ? %(app_id)s)
        order by severity, asset_key, check_name
    """,
    "checked": "select count(*) as checks, max(evaluated_at) as last_evaluated_at from rollups.check_result",
    # Those of the installation name no app.
    "incidents": """
        select incident_id, kind, title, opened_at
        from control.incident where resolved_at is null and (app_id = %(app_id)s or app_id is null)
        order by opened_at desc limit 100
    """,
    "restatements": """
        select cause, count(*) as periods, max(restated_at) as last_restated_at from rollups.restatement
        where app_id = %(app_id)s and restated_at > now() - interval '24 hours' group by cause order by cause
    """,
    "deliveries": """
        select count(*) filter (where next_attempt_at is not null) as pending,
            count(*) filter (where failed_at > now() - interval '24 hours') as failed
        from control.delivery join control.webhook using (webhook_id) where app_id = %(app_id)s
    """,
}


def plan_anomalies(query: AnomalyQuery) -> Plan:
    """Rows by hour and metric, ascending; one more than the limit if there are more."""
    start, end = query.range.instants
    after, after_metric = query.after or (None, None)
    values = {
        "app_id": query.tenant.app_id,
        "start": start,
        "end": end,
        "metric": query.metric,
        "is_flagged": query.is_flagged,
        "after": after,
        "after_metric": after_metric,
        "limit": query.limit + 1,
    }
    return Plan(_ANOMALIES, values, query.tenant.app_id, (METRIC,), "hour", (start, end))


def plan_restatements(query: RestatementQuery) -> Plan:
    """Rows by id, descending; one more than the limit if there are more."""
    start, end = query.range.instants
    values = {"app_id": query.tenant.app_id, "start": start, "end": end, "before_id": query.before_id}
    return Plan(_RESTATEMENTS, values | {"limit": query.limit + 1}, query.tenant.app_id, (METRIC,), "day", (start, end))
