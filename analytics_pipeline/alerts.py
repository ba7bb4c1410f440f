"""Evaluates threshold alerts on complete numbers, and opens and resolves their incidents."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.alerting import State, step
from analytics_pipeline.lib.calendar import CLOSING_DELAY, MOMENT, Period
from analytics_pipeline.stores import incidents
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.alert_values import value_of
from analytics_pipeline.stores.incidents import Finding, Key
from eventmill.control.alerts import ARRIVALS, COUNTS, Alert, is_met, list_alerts

KIND = "alert"
# Sessions of a day are final this long after its end.
SESSIONS_DELAY = timedelta(hours=25, minutes=30)
UTC_ZONE = ZoneInfo("UTC")


def evaluate(connection: psycopg.Connection, now: datetime) -> list[Key]:
    """Look at every alert once; returns those that fired. The caller commits."""
    row = connection.execute("select complete_through from rollups.lake_progress").fetchone()
    through = None if row is None else row[0]
    zones = period_store.zones(connection)
    is_open = incidents.open_since(connection, KIND)
    firing: dict[Key, Finding] = {}
    for alert in list_alerts(connection):
        key = (alert.app_id, str(alert.alert_id))
        zone = UTC_ZONE if alert.family in ARRIVALS else zones.get(alert.app_id, UTC_ZONE)
        period = None if through is None else _period(connection, alert, zone, through)
        value = None if period is None else value_of(connection, alert, period)
        outcome = _step(connection, alert, period, value, now)
        if outcome == "fire" or (key in is_open and outcome != "resolve"):
            firing[key] = _finding(alert, period, value)
    return incidents.settle(connection, KIND, firing, now)


def _period(connection: psycopg.Connection, alert: Alert, zone: ZoneInfo, through: datetime) -> Period | None:
    """The last period that is complete, or the running one where the alert takes that.

    None while the last one waits to be computed: an older one says nothing of now.
    """
    if alert.takes_incomplete:
        return _meeting(alert, zone, through)
    delay = CLOSING_DELAY if alert.family in {*COUNTS, *ARRIVALS} else SESSIONS_DELAY
    running = _meeting(alert, zone, through - delay)
    last = _meeting(alert, zone, running.start - MOMENT)
    return None if _is_dirty(connection, alert, last) else last


def _meeting(alert: Alert, zone: ZoneInfo, instant: datetime) -> Period:
    meeting = calendar.hours_meeting if alert.period == "hour" else calendar.days_meeting
    return next(iter(meeting(alert.app_id, zone, instant.astimezone(UTC), instant + MOMENT)))


def _is_dirty(connection: psycopg.Connection, alert: Alert, period: Period) -> bool:
    """Whether a computation that the number rests on is behind."""
    if alert.family in ARRIVALS:
        return False
    tables = ["metric"] if alert.family in COUNTS else ["metric", "sessions", "goals"]
    row = connection.execute(
        "select exists (select from rollups.periods where table_name = any(%s) and app_id = %s and grain = %s"
        " and period_start = %s and dirty_since is not null)",
        [tables, alert.app_id, period.grain, period.start],
    ).fetchone()
    return row is not None and bool(row[0])


def _step(
    connection: psycopg.Connection, alert: Alert, period: Period | None, value: float | None, now: datetime
) -> str:
    """Go on by one look, keep the state, and tell what it means."""
    row = connection.execute(
        "select met_since, unmet_since from control.alert_state where alert_id = %s for update", [alert.alert_id]
    ).fetchone()
    before = State() if row is None else State(*row)
    met = None if value is None else is_met(alert.comparison, value, alert.threshold)
    after = step(before, met, now, timedelta(minutes=alert.for_minutes))
    connection.execute(
        "insert into control.alert_state (alert_id, value, period_start, met_since, unmet_since, evaluated_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (alert_id) do update set value = excluded.value,"
        " period_start = excluded.period_start, met_since = excluded.met_since,"
        " unmet_since = excluded.unmet_since, evaluated_at = excluded.evaluated_at",
        [alert.alert_id, value, period and period.start, after.state.met_since, after.state.unmet_since, now],
    )
    return after.outcome


def _finding(alert: Alert, period: Period | None, value: float | None) -> Finding:
    shown = "unknown" if value is None else f"{value:,.6g}"
    start = None if period is None else period.start.isoformat(timespec="minutes")
    return Finding(
        f"{alert.app_id}: {alert.name}",
        [alert.condition(), f"It is {shown} in the {alert.period} of {start}"],
        {
            "alert_id": str(alert.alert_id),
            "metric": alert.metric,
            "value": value,
            "threshold": alert.threshold,
            "period_start": start,
        },
        alert_id=alert.alert_id,
        webhook_id=alert.webhook_id,
    )
