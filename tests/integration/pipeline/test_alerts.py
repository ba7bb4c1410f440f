"""Threshold alerts, news of restatements, and lateness, over numbers made by hand in Postgres."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline import alerts
from analytics_pipeline.stores import lateness
from eventmill.control.alerts import check_rule, create_alert, delete_alert, history
from eventmill.control.webhooks import create_webhook
from eventmill.errors import EventmillError
from tests.lake_of import NOW
from tests.watched_hours import HOUR, LAST, RUNNING, complete_through, dirty, incidents, put

pytestmark = pytest.mark.integration
RULE = {
    "metric": "events",
    "dimension": "total",
    "value": None,
    "comparison": "above",
    "threshold": 100,
    "period": "hour",
    "for_minutes": 0,
    "takes_incomplete": False,
}


def test_an_alert_fires_once_and_is_over_once(connection: psycopg.Connection) -> None:
    complete_through(connection, NOW)
    alert = create_alert(connection, "shop", "many", **RULE)
    put(connection, LAST, 101)
    for minute in range(3):
        alerts.evaluate(connection, NOW + timedelta(minutes=minute))
    assert incidents(connection) == [("alert", True)]
    put(connection, LAST, 100)
    for minute in range(3, 12):
        alerts.evaluate(connection, NOW + timedelta(minutes=minute))
    assert incidents(connection) == [("alert", False)]
    ((opened_at, resolved_at),) = history(connection, alert)
    assert (opened_at, resolved_at) == (NOW, NOW + timedelta(minutes=8))


def test_an_alert_waits_for_complete_numbers(connection: psycopg.Connection) -> None:
    create_alert(connection, "shop", "few", **RULE | {"comparison": "below"})
    put(connection, RUNNING, 1)
    put(connection, LAST, 200)
    complete_through(connection, NOW)
    alerts.evaluate(connection, NOW)
    assert incidents(connection) == []
    # The hour of 14 is over, but waits to be computed: nobody can tell.
    complete_through(connection, NOW + HOUR)
    dirty(connection, RUNNING, NOW)
    alerts.evaluate(connection, NOW + HOUR)
    assert incidents(connection) == []
    connection.execute("update rollups.periods set dirty_since = null")
    alerts.evaluate(connection, NOW + HOUR)
    assert incidents(connection) == [("alert", True)]


def test_an_alert_takes_the_running_hour_where_it_was_asked_to(connection: psycopg.Connection) -> None:
    create_alert(connection, "shop", "many", **RULE | {"takes_incomplete": True})
    put(connection, RUNNING, 101)
    complete_through(connection, NOW)
    dirty(connection, RUNNING, NOW)
    alerts.evaluate(connection, NOW)
    assert incidents(connection) == [("alert", True)]


def test_an_alert_looks_at_one_value_of_a_dimension(connection: psycopg.Connection) -> None:
    create_alert(connection, "shop", "buys", **RULE | {"dimension": "event_type", "value": "buy"})
    complete_through(connection, NOW)
    put(connection, LAST, 500)
    put(connection, LAST, 100, dimension="event_type", value_kind="value", value="buy")
    alerts.evaluate(connection, NOW)
    assert incidents(connection) == []
    put(connection, LAST, 101, dimension="event_type", value_kind="value", value="buy")
    alerts.evaluate(connection, NOW)
    assert incidents(connection) == [("alert", True)]


@pytest.mark.parametrize(
    ("metric", "value"),
    [("sessions_started", 4), ("bounce_rate", 50), ("avg_session_duration", 30), ("revenue:EUR", 12.5)],
)
def test_an_alert_knows_sessions_and_revenue_of_a_closed_day(
    metric: str, value: float, connection: psycopg.Connection
) -> None:
    day = datetime(2026, 5, 10, tzinfo=UTC)
    common = [day, day.date(), NOW]
    connection.execute(
        "insert into rollups.session_metric values ('shop', 'day', %s, 'human', 'total', 'total', '', %s, null, 0,"
        " 4, 2, 1, 9, 9, 120, %s)",
        common,
    )
    connection.execute(
        "insert into rollups.revenue values ('shop', 'day', %s, 'human', 'total', 'total', '', 'EUR', %s, null, 0,"
        " 1, 12.5, %s)",
        common,
    )
    create_alert(connection, "shop", "x", **RULE | {"metric": metric, "period": "day", "threshold": 1_000})
    # 25 h 30 min after the end of the 10th.
    complete_through(connection, datetime(2026, 5, 12, 1, 30, tzinfo=UTC))
    alerts.evaluate(connection, NOW)
    assert connection.execute("select value, period_start from control.alert_state").fetchall() == [(value, day)]


def test_an_alert_knows_what_arrived(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into rollups.ingest_accounting values ('shop', %s, 200, 100, 0, 100, 0, 0, %s, 1, %s)",
        [LAST, LAST, LAST],
    )
    complete_through(connection, NOW)
    rule = RULE | {"metric": "quarantined_percent", "threshold": 49}
    create_alert(connection, "shop", "bad", **rule)
    alerts.evaluate(connection, NOW)
    assert incidents(connection) == [("alert", True)]
    delete_alert(connection, "shop", "bad")
    assert incidents(connection) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"metric": "clicks"}, "metric"),
        ({"metric": "revenue"}, "metric"),
        ({"metric": "events:x"}, "metric"),
        ({"metric": "bounce_rate"}, "period"),
        ({"metric": "received", "period": "day"}, "period"),
        ({"dimension": "browser"}, "dimension"),
        ({"metric": "received", "dimension": "source"}, "dimension"),
        ({"value": "x"}, "value"),
        ({"threshold": float("nan")}, "threshold"),
        ({"for_minutes": 1441}, "for_minutes"),
        ({"comparison": "equals"}, "comparison"),
    ],
)
def test_an_alert_that_cannot_be_is_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(EventmillError) as refused:
        check_rule("x", RULE | wrong)
    assert refused.value.message.startswith(f"{field}:")


def test_restatements_are_told_once_an_hour_together(connection: psycopg.Connection) -> None:
    create_webhook(connection, "https://example.com/x", app_id="shop", kinds=["restatement"])

    def restate(events: int) -> None:
        connection.execute(
            "insert into rollups.restatement (app_id, table_name, grain, period_start, local_date, metric,"
            " value_before, value_after, rows_changed, cause, restated_at)"
            " values ('shop', 'metric', 'hour', %s, %s, 'events', 10, %s, 1, 'late_events', %s)",
            [LAST, LAST.date(), events, NOW],
        )

    restate(11)
    restate(12)
    assert lateness.announce_restatements(connection, NOW) == 2
    restate(13)
    assert lateness.announce_restatements(connection, NOW + timedelta(minutes=59)) == 0
    assert lateness.announce_restatements(connection, NOW + HOUR) == 1
    assert connection.execute("select count(*) from control.delivery").fetchone() == (2,)
    assert incidents(connection) == [("restatement", False)] * 2


def test_a_period_that_waits_too_long_is_late(connection: psycopg.Connection) -> None:
    dirty(connection, LAST, NOW - timedelta(minutes=15))
    assert lateness.late(connection, NOW) == {}
    (finding,) = lateness.late(connection, NOW + timedelta(seconds=1)).values()
    assert finding.title == "metric by hour is not fresh"


def test_an_apps_alerts_webhooks_and_news_go_with_it(connection: psycopg.Connection) -> None:
    hook = create_webhook(connection, "https://example.com/x", app_id="shop")
    create_alert(connection, "shop", "many", **RULE, webhook_id=hook.webhook_id)
    put(connection, LAST, 101)
    complete_through(connection, NOW)
    alerts.evaluate(connection, NOW)
    connection.execute("delete from control.app where app_id = 'shop'")
    for table in ("alert", "alert_state", "webhook", "incident", "delivery"):
        assert connection.execute(f"select count(*) from control.{table}").fetchone() == (0,)
