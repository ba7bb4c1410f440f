"""Weeks and months: sums are added up, actors and sessions counted once."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from analytics_pipeline.lib import calendar
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from analytics_pipeline.stores import lake_progress
from analytics_pipeline.stores import periods as period_store
from tests import oracle
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
WEEK_STARTS = {"shop": 1, "peak": 7, "east": 6}
FIRST, LAST = NOW - timedelta(days=14), NOW + timedelta(days=2)


def long_periods(refresher: Refresher) -> list[calendar.Period]:
    grains: list[calendar.Grain] = ["week", "month"]
    return [period for grain in grains for period in refresher.periods(grain, FIRST - timedelta(days=45), LAST)]


def total(connection: psycopg.Connection, grain: str) -> list[tuple[int, ...]]:
    return connection.execute(
        "select events, visitors from rollups.metric"
        " where app_id = 'shop' and grain = %s and dimension = 'total' and traffic = 'all' order by period_start",
        [grain],
    ).fetchall()


def test_weeks_and_months_equal_a_recomputation_with_an_exact_rest(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for app_id, week_start in WEEK_STARTS.items():
        connection.execute("update control.app set week_start = %s where app_id = %s", [week_start, app_id])
    rng = random.Random(3)
    lake.append(some_events(rng, 600, FIRST, NOW))
    lake.append(event(f"p{n}", NOW, anonymous_id=f"n{n % 9}", page_url=f"/{n:04}") for n in range(1_010))
    refresh_days(refresher, refresher.days(FIRST - timedelta(days=1), LAST))
    refresh_long(refresher, long_periods(refresher))

    rows = connection.execute(
        "select app_id, grain, period_start, traffic, dimension, value_kind, value, events, page_views, users,"
        " visitors, sessions from rollups.metric"
    ).fetchall()
    found = {row[:7]: row[7:] for row in rows}
    monkeypatch.setattr(oracle, "_periods", _week_and_month)
    assert found == oracle.metric(lake.rows, ZONES)


def _week_and_month(instant: datetime, zone: ZoneInfo) -> list[tuple[str, datetime]]:
    local = instant.astimezone(zone).date()
    week_start = next(WEEK_STARTS[app_id] for app_id in ZONES if ZONES[app_id] == zone)
    week = local - timedelta(days=(local.isoweekday() - week_start) % 7)
    starts = (("week", week), ("month", local.replace(day=1)))
    return [(grain, datetime(date.year, date.month, date.day, tzinfo=zone).astimezone(UTC)) for grain, date in starts]


def test_a_month_that_began_before_the_lake_floor_still_gets_its_later_days(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("a", NOW - timedelta(days=9), user_id="u"), event("b", NOW, user_id="u")])
    refresh_days(refresher, refresher.days(FIRST, LAST))
    connection.execute("update control.app set lake_floor = %s", [NOW - timedelta(days=6)])
    lake.append([event("c", NOW, user_id="v")])
    refresh_days(refresher, refresher.days(FIRST, LAST))
    refresh_long(refresher, long_periods(refresher))
    assert total(connection, "month") == [(3, 2)]


def test_days_that_were_never_computed_are_computed_first(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    version = lake.append([event("a", NOW, user_id="u")])
    days = [(day, 1) for day in refresher.days(NOW, NOW) if day.app_id == "shop"]
    period_store.mark_dirty(connection, "sessions", days, version, clock.now)
    refresh_long(refresher, long_periods(refresher))
    assert total(connection, "week") == [(1, 1)]


def test_a_week_with_a_stale_day_stays_dirty(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    days = [day for day in refresher.days(NOW, NOW) if day.app_id == "shop"]
    weeks = [week for week in long_periods(refresher) if week.app_id == "shop" and week.grain == "week"]
    week = next(week for week in weeks if week.start <= NOW < week.end)
    for number in range(2):
        version = lake.append([event(f"e{number}", NOW, user_id="u")])
        period_store.mark_dirty(connection, "sessions", [(day, 1) for day in days], version, clock.now)
        period_store.mark_dirty(connection, "metric", [(week, 1)], version, clock.now)
        lake_progress.note_progress(connection, version, None, clock.now)
        if number == 0:
            refresh_days(refresher, days)
    refresh_long(refresher, [week])
    (row,) = connection.execute(
        "select computed_version, dirty_since is not null from rollups.periods where grain = 'week'"
    ).fetchall()
    assert row == (1, True)
