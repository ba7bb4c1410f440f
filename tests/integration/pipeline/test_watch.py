"""Anomalies and alerts over weeks of hours made by hand in Postgres."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline import alerts, anomalies
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import lateness
from eventmill.control.alerts import check_rule, create_alert, delete_alert, history
from eventmill.control.webhooks import create_webhook
from eventmill.errors import EventmillError
from eventmill.settings import Settings
from tests.lake_of import NOW, Clock, HandMadeLake, event

pytestmark = pytest.mark.integration
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
# NOW is 14:20; the last complete hour is that of 13.
RUNNING = NOW.replace(minute=0)
LAST = RUNNING - HOUR
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


def put(connection: psycopg.Connection, start: datetime, events: int, *, grain: str = "hour", **columns: Any) -> None:
    """A period of the app shop (UTC): as many events, views, visitors and sessions, of people alone."""
    row = {"app_id": "shop", "grain": grain, "period_start": start, "local_date": start.date(), "dimension": "total"}
    row |= {"local_hour": start.hour if grain == "hour" else None, "utc_offset_minutes": 0, "value_kind": "total"}
    row |= dict.fromkeys(("events", "page_views", "users", "visitors", "sessions"), events) | {"computed_at": NOW}
    row |= columns
    names = ", ".join(row)
    for traffic in ("all", "human"):
        connection.execute(
            f"insert into rollups.metric ({names}, traffic) values ({', '.join(['%s'] * (len(row) + 1))})"
            " on conflict (app_id, grain, period_start, traffic, dimension, value_kind, value)"
            " do update set events = excluded.events",
            [*row.values(), traffic],
        )


def dirty(connection: psycopg.Connection, start: datetime, since: datetime, grain: str = "hour") -> None:
    connection.execute(
        "insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version,"
        " dirty_since) values ('metric', 'shop', %s, %s, %s, %s, 1, %s)",
        [grain, start, start + HOUR, start.date(), since],
    )


def complete_through(connection: psycopg.Connection, instant: datetime) -> None:
    connection.execute(
        "insert into rollups.lake_progress (lake_version, complete_through) values (1, %s)"
        " on conflict (only_row) do update set complete_through = excluded.complete_through",
        [instant],
    )


def found(connection: psycopg.Connection, start: datetime, metric: str = "page_views") -> tuple[Any, ...] | None:
    return connection.execute(
        "select current_value, previous_value, change_pct, is_partial, is_anomaly from rollups.hourly_anomaly"
        " where app_id = 'shop' and metric = %s and period_start = %s",
        [metric, start],
    ).fetchone()


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    """Kind and whether it is open, oldest first."""
    return connection.execute(
        "select kind, resolved_at is null from control.incident where app_id = 'shop' and (kind <> 'anomaly'"
        " or subject = 'events') order by incident_id"
    ).fetchall()


@pytest.fixture
def weeks(connection: psycopg.Connection) -> psycopg.Connection:
    """Four weeks with 100, 110, 90 and 100 events in the hour of 13, and 1,000 in the one of 14."""
    for week, events in enumerate((100, 110, 90, 100), start=1):
        put(connection, LAST - week * WEEK, events)
        put(connection, RUNNING - week * WEEK, 1000)
    complete_through(connection, NOW)
    return connection


@pytest.mark.parametrize(
    ("events", "change_pct", "is_anomaly"), [(100, 0, False), (130, 30, False), (131, 31, True), (0, -100, True)]
)
def test_a_complete_hour_is_compared_with_the_same_hour_of_four_weeks(
    events: int, change_pct: float, is_anomaly: bool, weeks: psycopg.Connection
) -> None:
    put(weeks, LAST, events)
    anomalies.update(weeks, NOW)
    assert found(weeks, LAST) == (events, 100, change_pct, False, is_anomaly)
    assert found(weeks, LAST, "unique_visitors") is not None


def test_an_hour_without_a_row_had_no_events(weeks: psycopg.Connection) -> None:
    anomalies.update(weeks, NOW)
    assert found(weeks, LAST) == (0, 100, -100, False, True)


def test_nothing_is_flagged_before_an_app_is_two_weeks_old(connection: psycopg.Connection) -> None:
    complete_through(connection, NOW)
    put(connection, LAST - WEEK, 1000)
    put(connection, LAST, 5000)
    anomalies.update(connection, NOW)
    assert found(connection, LAST) == (5000, 1000, 400, False, False)


def test_an_earlier_count_of_zero_leaves_no_change_in_percent(connection: psycopg.Connection) -> None:
    complete_through(connection, NOW)
    put(connection, LAST - 2 * WEEK, 100)
    put(connection, LAST, 100)
    anomalies.update(connection, NOW)
    assert found(connection, LAST) == (100, 0, None, False, False)


def test_after_an_outage_every_hour_of_it_is_looked_at_a_day_at_a_time(weeks: psycopg.Connection) -> None:
    anomalies.update(weeks, NOW)
    complete_through(weeks, NOW + 2 * DAY)
    for _ in range(2):
        anomalies.update(weeks, NOW + 2 * DAY)
        anomalies.update(weeks, NOW + 2 * DAY)
    hours = weeks.execute(
        "select count(*) from rollups.hourly_anomaly where metric = 'events' and period_start >= %s and not is_partial",
        [RUNNING],
    ).fetchone()
    assert hours == (48,)


def minutes(per_minute: int) -> list[int]:
    return [per_minute] * 60


@pytest.mark.parametrize(("events", "is_anomaly"), [(333, False), (100, True)])
def test_the_running_hour_is_compared_with_the_same_elapsed_minutes(
    events: int, is_anomaly: bool, weeks: psycopg.Connection
) -> None:
    for week in range(1, 5):
        weeks.execute(
            "insert into rollups.hour_profile values ('shop', %s, %s, %s, now())",
            [RUNNING - week * WEEK, minutes(20), minutes(16)],
        )
    put(weeks, RUNNING, events)
    # Complete through 14:20, but the hour's own numbers only through 14:15.
    dirty(weeks, RUNNING, NOW - timedelta(minutes=5))
    anomalies.update(weeks, NOW)
    row = found(weeks, RUNNING, "events")
    assert row is not None
    assert (row[0], row[1], row[3], row[4]) == (events, 300, True, is_anomaly)
    assert found(weeks, RUNNING, "unique_visitors") is None


def test_a_running_hour_is_not_judged_by_hours_that_were_not_read_by_minute(weeks: psycopg.Connection) -> None:
    put(weeks, RUNNING, 1)
    anomalies.update(weeks, NOW)
    assert found(weeks, RUNNING) == (1, 0, None, True, False)


def test_what_is_computed_again_is_compared_again(weeks: psycopg.Connection) -> None:
    put(weeks, LAST, 100)
    anomalies.update(weeks, NOW)
    put(weeks, LAST, 100, page_views=500)
    weeks.execute("update rollups.metric set page_views = 500 where period_start = %s", [LAST])
    weeks.execute(
        "insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version,"
        " computed_at) values ('metric', 'shop', 'hour', %s, %s, %s, 1, %s)",
        [LAST, RUNNING, LAST.date(), NOW + 4 * HOUR],
    )
    complete_through(weeks, NOW + 4 * HOUR)
    anomalies.update(weeks, NOW + 4 * HOUR)
    row = found(weeks, LAST)
    assert row is not None
    assert (row[0], row[4]) == (500, True)


def test_an_anomaly_is_over_after_a_usual_hour_and_not_before(weeks: psycopg.Connection) -> None:
    put(weeks, LAST, 1)
    for _ in range(2):
        anomalies.update(weeks, NOW)
    assert incidents(weeks) == [("anomaly", True)]
    put(weeks, RUNNING, 1000)
    complete_through(weeks, NOW + HOUR)
    anomalies.update(weeks, NOW + HOUR)
    assert incidents(weeks) == [("anomaly", False)]


def test_profiles_are_read_from_the_lake_once(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, weeks: psycopg.Connection, clock: Clock
) -> None:
    earlier = RUNNING - WEEK
    lake.append(
        [
            event("e1", earlier + timedelta(minutes=3), user_id="u"),
            event("e1", earlier + timedelta(minutes=3), user_id="u"),
            event("e2", earlier + timedelta(minutes=3, seconds=59), user_id="u", event_type="click"),
            event("e3", earlier + timedelta(minutes=59), user_id="u", is_bot=True),
            event("e4", earlier + HOUR, user_id="u"),
        ]
    )
    assert anomalies.profile(refresher, NOW) == 4
    # Numbers that are as old as the profile do not ask for it again.
    weeks.execute("update rollups.metric set computed_at = %s", [NOW - HOUR])
    assert anomalies.profile(refresher, NOW) == 0
    row = weeks.execute(
        "select events, page_views from rollups.hour_profile where period_start = %s", [earlier]
    ).fetchone()
    assert row is not None
    events, views = row
    assert (events[3], events[59], sum(events)) == (2, 1, 3)
    assert (views[3], sum(views)) == (1, 1)


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
