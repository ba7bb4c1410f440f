"""Anomalies over weeks of hours made by hand in Postgres."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline import anomalies
from analytics_pipeline.refresh import Refresher
from eventmill.settings import Settings
from tests.lake_of import NOW, Clock, HandMadeLake, event
from tests.watched_hours import DAY, HOUR, LAST, RUNNING, WEEK, complete_through, dirty, incidents, put

pytestmark = pytest.mark.integration


def found(connection: psycopg.Connection, start: datetime, metric: str = "page_views") -> tuple[Any, ...] | None:
    return connection.execute(
        "select current_value, previous_value, change_pct, is_partial, is_anomaly from rollups.hourly_anomaly"
        " where app_id = 'shop' and metric = %s and period_start = %s",
        [metric, start],
    ).fetchone()


@pytest.fixture
def weeks(connection: psycopg.Connection) -> psycopg.Connection:
    """Four weeks with 100, 110, 90 and 100 events in the hour of 13, and 1,000 in the one of 14."""
    for week, events in enumerate((100, 110, 90, 100), start=1):
        put(connection, LAST - week * WEEK, events)
        put(connection, RUNNING - week * WEEK, 1000)
    complete_through(connection, NOW)
    return connection


@pytest.mark.parametrize(
    ("events", "change_pct", "is_anomaly"), [(100, 0, False), (122, 22, False), (123, 23, True), (0, -100, True)]
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


def test_a_flagged_hour_that_chance_explains_is_no_incident(weeks: psycopg.Connection) -> None:
    put(weeks, LAST, 135)
    anomalies.update(weeks, NOW)
    assert found(weeks, LAST) == (135, 100, 35, False, True)
    assert incidents(weeks) == []


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
