"""Threshold alerts on an app's metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from eventmill.control.apps import get_app
from eventmill.control.webhooks import get_webhook
from eventmill.errors import EventmillError

COUNTS = ("events", "page_views", "unique_users", "unique_visitors", "unique_sessions")
SESSIONS = ("sessions_started", "bounce_rate", "avg_session_duration")
ARRIVALS = ("received", "quarantined_percent")
# Followed by `:` and a currency, or a goal's name.
NAMED = ("revenue", "goal_sessions", "conversion_rate")
METRICS = (*COUNTS, *SESSIONS, *ARRIVALS, *NAMED)
HOURLY_DIMENSIONS = (
    "total",
    "event_type",
    "event_name",
    "source",
    "country",
    "device_type",
    "os",
    "page_url",
    "source_event_name",
)
DAILY_DIMENSIONS = (
    *HOURLY_DIMENSIONS,
    "browser",
    "referrer_host",
    "channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "app_version",
)
COMPARISONS = {"above": ">", "below": "<", "at_least": "≥", "at_most": "≤"}
PERIODS = ("hour", "day")
MAX_ALERTS = 500
_RULE = ("metric", "dimension", "value", "comparison", "threshold", "period", "for_minutes", "takes_incomplete")
MAX_VALUE = 500

Comparison = Literal["above", "below", "at_least", "at_most"]


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition on one number. `value` is that of `dimension`; None there is the row `not_set`, or the total.

    `for_minutes`: how long the condition must hold before it fires. `webhook_id` None: every webhook of the app that
    takes alerts.
    """

    alert_id: UUID
    app_id: str
    name: str
    metric: str
    dimension: str
    value: str | None
    comparison: Comparison
    threshold: float
    period: Literal["hour", "day"]
    for_minutes: int
    takes_incomplete: bool
    webhook_id: UUID | None
    created_at: datetime

    @property
    def family(self) -> str:
        """The metric without what follows a colon."""
        return self.metric.partition(":")[0]

    @property
    def argument(self) -> str:
        """The currency, or the goal's name; empty for other metrics."""
        return self.metric.partition(":")[2]

    def condition(self) -> str:
        """As people read it."""
        cut = "" if self.dimension == "total" else f" of {self.dimension} {self.value or 'not_set'}"
        return f"{self.metric}{cut} {COMPARISONS[self.comparison]} {self.threshold:g} in the {self.period}"


def is_met(comparison: Comparison, value: float, threshold: float) -> bool:
    """Whether `value` is above, below, at least or at most `threshold`."""
    match comparison:
        case "above":
            return value > threshold
        case "below":
            return value < threshold
        case "at_least":
            return value >= threshold
        case "at_most":
            return value <= threshold


def create_alert(connection: psycopg.Connection[Any], app_id: str, name: str, **rule: Any) -> Alert:
    """Keep an alert; `rule` is what `Alert` has. The caller commits.

    Raises EventmillError that names the field and the rule.
    """
    get_app(connection, app_id)
    check_rule(name, rule)
    _check_webhook(connection, app_id, rule.get("webhook_id"))
    if len(list_alerts(connection, app_id)) >= MAX_ALERTS:
        raise EventmillError(f"An app has at most {MAX_ALERTS} alerts.")
    values = [rule.get(column) for column in _RULE]
    with connection.cursor(row_factory=class_row(Alert)) as cursor:
        found = cursor.execute(
            "insert into control.alert (app_id, name, metric, dimension, value, comparison, threshold, period,"
            "  for_minutes, takes_incomplete, webhook_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict do nothing returning *",
            [app_id, name, *values, rule.get("webhook_id")],
        ).fetchone()
    if found is None:
        raise _refusal("name", f"app {app_id!r} has an alert {name!r} already", "Unique within the app.")
    return found


def update_alert(connection: psycopg.Connection[Any], alert: Alert, name: str, **rule: Any) -> Alert:
    """Replace an alert's name and rule; what it saw so far is forgotten, when it fired is not. The caller commits.

    Raises EventmillError that names the field and the rule.
    """
    check_rule(name, rule)
    _check_webhook(connection, alert.app_id, rule.get("webhook_id"))
    if any(one.name == name and one.alert_id != alert.alert_id for one in list_alerts(connection, alert.app_id)):
        raise _refusal("name", f"app {alert.app_id!r} has an alert {name!r} already", "Unique within the app.")
    connection.execute(
        "update control.alert set name = %s, metric = %s, dimension = %s, value = %s, comparison = %s, threshold = %s,"
        "  period = %s, for_minutes = %s, takes_incomplete = %s, webhook_id = %s where alert_id = %s",
        [name, *(rule.get(column) for column in _RULE), rule.get("webhook_id"), alert.alert_id],
    )
    connection.execute("delete from control.alert_state where alert_id = %s", [alert.alert_id])
    return get_alert(connection, alert.app_id, name)


def _check_webhook(connection: psycopg.Connection[Any], app_id: str, webhook_id: object) -> None:
    if webhook_id is not None and get_webhook(connection, str(webhook_id)).app_id not in {None, app_id}:
        raise _refusal("webhook", "it belongs to another app", "One of this app, or of all.")


def list_alerts(connection: psycopg.Connection[Any], app_id: str | None = None) -> list[Alert]:
    """Those of an app that is not being deleted, or of all such apps, by name."""
    with connection.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            "select alert.* from control.alert join control.app using (app_id) where deleted_at is null"
            " and (%s::text is null or app_id = %s) order by app_id, name",
            [app_id, app_id],
        ).fetchall()


def get_alert(connection: psycopg.Connection[Any], app_id: str, name: str) -> Alert:
    """Raises EventmillError where the app has no alert of this name."""
    get_app(connection, app_id)
    for alert in list_alerts(connection, app_id):
        if alert.name == name:
            return alert
    raise EventmillError(f"App {app_id!r} has no alert {name!r}.", f"`eventmill alert list --app {app_id}` shows all.")


def delete_alert(connection: psycopg.Connection[Any], app_id: str, name: str) -> None:
    """Delete an alert with its history. The caller commits. Raises EventmillError where there is none."""
    alert = get_alert(connection, app_id, name)
    connection.execute("delete from control.alert where alert_id = %s", [alert.alert_id])


def history(
    connection: psycopg.Connection[Any], alert: Alert, limit: int = 20
) -> list[tuple[datetime, datetime | None]]:
    """When it fired and when that was over (None while it lasts), the latest first."""
    return connection.execute(
        "select opened_at, resolved_at from control.incident where alert_id = %s order by opened_at desc limit %s",
        [alert.alert_id, limit],
    ).fetchall()


def last_look(connection: psycopg.Connection[Any], alert: Alert) -> dict[str, Any]:
    """What the last evaluation saw (value_now, period_start, evaluated_at), and since when it fires; None for never."""
    row = connection.execute(
        "select state.value, state.period_start, evaluated_at, (select opened_at from control.incident"
        "  where alert_id = alert.alert_id and resolved_at is null) from control.alert"
        " left join control.alert_state as state using (alert_id) where alert_id = %s",
        [alert.alert_id],
    ).fetchone()
    return dict(zip(("value_now", "period_start", "evaluated_at", "firing_since"), row or [None] * 4, strict=True))


def check_rule(name: str, rule: Mapping[str, Any]) -> None:
    """Raise EventmillError that names the field and the rule where there can be no such alert."""
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise _refusal("name", "it is empty, too long or not printable", "1 to 200 printable characters.")
    _check_metric(rule["metric"], rule["period"])
    _check_cut(rule["metric"], rule["period"], rule["dimension"], rule["value"])
    if rule["comparison"] not in COMPARISONS:
        raise _refusal("comparison", f"{rule['comparison']!r} is none", f"One of {', '.join(COMPARISONS)}.")
    if not isfinite(rule["threshold"]):
        raise _refusal("threshold", "it is no finite number", "A finite number.")
    if not 0 <= rule["for_minutes"] <= 1440:
        raise _refusal("for_minutes", f"{rule['for_minutes']} is out of bounds", "0 to 1440.")


def _check_metric(metric: str, period: str) -> None:
    family, _, argument = metric.partition(":")
    if family not in METRICS or bool(argument) != (family in NAMED) or "\0" in argument:
        named = ", ".join(f"{one}:…" for one in NAMED)
        rule = f"One of {', '.join((*COUNTS, *SESSIONS, *ARRIVALS))}; {named} with a currency, or a goal's name."
        raise _refusal("metric", f"{metric!r} is none", rule)
    if period not in PERIODS:
        raise _refusal("period", f"{period!r} is none", f"One of {', '.join(PERIODS)}.")
    if period == "hour" and family not in {*COUNTS, *ARRIVALS}:
        raise _refusal("period", f"{family} is known by day", "day.")
    if period == "day" and family in ARRIVALS:
        raise _refusal("period", f"{family} is known by the hour of arrival", "hour.")


def _check_cut(metric: str, period: str, dimension: str, value: str | None) -> None:
    if metric.partition(":")[0] not in COUNTS:
        if dimension != "total":
            raise _refusal("dimension", f"{metric} has none", f"total; others for {', '.join(COUNTS)}.")
    else:
        known = HOURLY_DIMENSIONS if period == "hour" else DAILY_DIMENSIONS
        if dimension not in known:
            raise _refusal("dimension", f"{dimension!r} is none of the {period}", f"One of {', '.join(known)}.")
    if value is not None and (dimension == "total" or not 1 <= len(value) <= MAX_VALUE or "\0" in value):
        raise _refusal("value", "it belongs to a dimension", f"With --dimension, 1 to {MAX_VALUE} characters.")


def _refusal(field: str, what: str, rule: str) -> EventmillError:
    return EventmillError(f"{field}: {what}.", f"Rule: {rule}")
