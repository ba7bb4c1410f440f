"""The number that an alert looks at, of one period."""

from typing import LiteralString

import psycopg

from analytics_pipeline.lib.calendar import Period
from eventmill.control.alerts import ARRIVALS, COUNTS, SESSIONS, Alert

_COLUMNS = {
    "events": "events",
    "page_views": "page_views",
    "unique_users": "users",
    "unique_visitors": "visitors",
    "unique_sessions": "sessions",
}
# Events are those of all traffic, everything else leaves bots out. What has no row did not happen.
_COUNT: LiteralString = (
    "select coalesce((select to_jsonb(m) ->> %(column)s from rollups.metric as m where app_id = %(app)s"
    " and grain = %(grain)s and period_start = %(start)s and traffic = %(traffic)s and dimension = %(dimension)s"
    " and value_kind = %(kind)s and value = coalesce(%(value)s, ''))::double precision, 0)"
)
_SESSIONS: LiteralString = (
    "select case %(family)s when 'sessions_started' then coalesce(sum(sessions_started), 0)::double precision"
    " when 'bounce_rate' then 100 * sum(bounces)::double precision / nullif(sum(sessions_with_views), 0)"
    " else sum(duration_seconds) / nullif(sum(sessions_started), 0) end"
    " from rollups.session_metric where app_id = %(app)s and grain = 'day' and period_start = %(start)s"
    " and traffic = 'human' and dimension = 'total'"
)
_REVENUE: LiteralString = (
    "select coalesce(sum(revenue), 0)::double precision from rollups.revenue where app_id = %(app)s and grain = 'day'"
    " and period_start = %(start)s and traffic = 'human' and dimension = 'total' and currency = %(argument)s"
)
# In percent of the sessions that started on the day. Null where there is no such goal any more.
_GOAL: LiteralString = (
    "select case %(family)s when 'goal_sessions' then coalesce(g.sessions, 0)::double precision"
    " else 100 * coalesce(g.sessions, 0)::double precision / nullif(m.sessions_started, 0) end from control.goal"
    " left join rollups.goal_metric as g on g.goal_id = goal.goal_id and g.period_start = %(start)s"
    "  and g.traffic = 'human' and g.dimension = 'total'"
    " left join rollups.session_metric as m on m.app_id = goal.app_id and m.grain = 'day'"
    "  and m.period_start = %(start)s and m.traffic = 'human' and m.dimension = 'total'"
    " where goal.app_id = %(app)s and goal.name = %(argument)s"
)
_ARRIVALS: LiteralString = (
    "select case %(family)s when 'received' then coalesce(sum(received), 0)::double precision"
    " else 100 * sum(quarantined)::double precision / nullif(sum(received), 0) end"
    " from rollups.ingest_accounting where app_id = %(app)s and hour >= %(start)s and hour < %(end)s"
)


def value_of(connection: psycopg.Connection, alert: Alert, period: Period) -> float | None:
    """The alert's number in `period`; None where it is not defined, as a rate of nothing."""
    values = {
        "family": alert.family,
        "argument": alert.argument,
        "column": _COLUMNS.get(alert.family),
        "app": alert.app_id,
        "grain": period.grain,
        "start": period.start,
        "end": period.end,
        "traffic": "all" if alert.family == "events" else "human",
        "dimension": alert.dimension,
        "kind": _kind(alert),
        "value": alert.value,
    }
    row = connection.execute(_statement(alert.family), values).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _statement(family: str) -> LiteralString:
    if family in COUNTS:
        return _COUNT
    if family in SESSIONS:
        return _SESSIONS
    if family in ARRIVALS:
        return _ARRIVALS
    return _REVENUE if family == "revenue" else _GOAL


def _kind(alert: Alert) -> str:
    if alert.dimension == "total":
        return "total"
    return "not_set" if alert.value is None else "value"
