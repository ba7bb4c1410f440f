"""Backfills compute what is asked for and not done yet, say what would change, and refuse what has left the lake."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from analytics_pipeline.backfill_preview import preview
from analytics_pipeline.lib import period_tables
from analytics_pipeline.lib.period_tables import DAILY
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import backfills as backfill_store
from eventmill.cli.backfill import partitions
from eventmill.contracts import backfills as names
from eventmill.control import backfills, history
from eventmill.errors import EventmillError
from tests.lake_of import Clock, HandMadeLake, event
from tests.pipeline_in_process import Pipeline

pytestmark = pytest.mark.integration
OLD = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
DAY = OLD.date()
Difference = tuple[str, str, float | None, float | None]


@pytest.fixture
def computed(lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock) -> HandMadeLake:
    """A closed day with two events of one visitor, the second a purchase, and all that follows from it."""
    paid = {"event_type": "purchase", "properties": '{"revenue": 2.5, "currency": "EUR"}'}
    lake.append([event("e1", OLD, user_id="u"), event("e2", OLD + timedelta(minutes=2), user_id="u", **paid)])
    Pipeline(refresher, connection, clock).settle(clock.now, clock.now)
    return lake


def differences(refresher: Refresher, connection: psycopg.Connection, *apps: str) -> list[Difference]:
    preview(refresher, DAY, DAY, apps, lambda *_: None)
    return connection.execute(
        "select grain, metric, stored, computed from backfill_preview.difference order by grain, metric"
    ).fetchall()


@pytest.mark.usefixtures("computed")
def test_a_preview_of_what_is_right_is_empty(refresher: Refresher, connection: psycopg.Connection) -> None:
    assert differences(refresher, connection) == []


@pytest.mark.usefixtures("computed")
def test_a_preview_names_each_metric_that_would_change_and_changes_none(
    refresher: Refresher, connection: psycopg.Connection
) -> None:
    connection.execute("update rollups.metric set events = 7 where dimension = 'total' and traffic = 'all'")
    expected = [(grain, "events", 7, 2) for grain in ("day", "hour", "month", "week")]
    assert differences(refresher, connection) == expected
    assert connection.execute("select max(events) from rollups.metric").fetchone() == (7,)


@pytest.mark.usefixtures("computed")
def test_a_preview_shows_days_that_would_vanish_and_days_that_would_appear(
    refresher: Refresher, connection: psycopg.Connection
) -> None:
    connection.execute("delete from rollups.metric where grain = 'hour'")
    connection.execute("update rollups.metric set local_date = local_date - 1")
    found = differences(refresher, connection)
    assert ("hour", "page_views", 0, 1) in found
    assert ("day", "visitors", 0, 1) in found


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize(
    ("damage", "grains", "expected"),
    [
        ("session_metric set duration_seconds = 7", ["day", "hour"], ("session_seconds", 7, 120)),
        ("revenue set revenue = 9", ["day", "hour"], ("revenue EUR", 9, 2.5)),
        ("metric set sessions = 3", ["month", "week"], ("sessions", 3, 1)),
    ],
)
def test_a_preview_names_sessions_money_weeks_and_months_that_would_change(
    damage: str,
    grains: list[str],
    expected: tuple[str, float, float],
    refresher: Refresher,
    connection: psycopg.Connection,
) -> None:
    connection.execute(f"update rollups.{damage} where dimension = 'total' and grain = any(%s)", [grains])
    assert differences(refresher, connection) == [(grain, *expected) for grain in grains]


def test_weeks_and_months_of_a_preview_are_counted_from_its_own_days(
    computed: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    """An event that nobody has told the pipeline of."""
    computed.append([event("e3", OLD + timedelta(hours=3), user_id="v")])
    found = differences(refresher, connection)
    assert {("day", "visitors", 1, 2), ("week", "visitors", 1, 2), ("month", "visitors", 1, 2)} <= set(found)
    assert connection.execute("select max(visitors) from rollups.metric").fetchone() == (1,)


@pytest.mark.usefixtures("computed")
def test_a_preview_of_an_app_says_nothing_of_the_others(refresher: Refresher, connection: psycopg.Connection) -> None:
    connection.execute("update rollups.metric set events = 7")
    assert differences(refresher, connection, "peak") == []


def test_a_backfill_that_goes_on_leaves_out_what_it_has_computed(
    computed: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    days = [day for day in refresher.days(OLD, OLD) if day.app_id == "shop"]
    before, after = clock.now - timedelta(minutes=1), clock.now + timedelta(minutes=1)
    assert backfill_store.remaining(connection, DAILY, days, before) == []
    assert backfill_store.remaining(connection, DAILY, days, after) == days


@pytest.mark.usefixtures("computed")
def test_a_backfill_computes_what_became_dirty_or_was_defined_anew_since(
    refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    days = [day for day in refresher.days(OLD, OLD) if day.app_id == "shop"]
    before = clock.now - timedelta(minutes=1)
    for change in ("dirty_since = now()", "dirty_since = null, definition_version = 'an older one'"):
        connection.execute(f"update rollups.periods set {change}")
        assert backfill_store.remaining(connection, DAILY, days, before) == days


def test_what_starts_before_the_lake_floor_is_left_out(refresher: Refresher, connection: psycopg.Connection) -> None:
    connection.execute("update control.app set lake_floor = %s where app_id = 'shop'", [OLD])
    days = refresher.days(OLD, OLD + timedelta(days=1))
    kept = [day for day in backfill_store.remaining(connection, DAILY, days, None) if day.app_id == "shop"]
    assert [day.local_date for day in kept] == [DAY + timedelta(days=1)]


def test_an_interrupted_backfill_of_the_same_range_goes_on(connection: psycopg.Connection) -> None:
    first = backfills.begin(connection, ["shop", "peak"], DAY, DAY)
    again = backfills.begin(connection, ["peak", "shop"], DAY, DAY)
    assert (again.is_resumed, again.started_at) == (True, first.started_at)
    backfills.finish(connection, again)
    assert not backfills.begin(connection, ["peak", "shop"], DAY, DAY).is_resumed


@pytest.mark.parametrize(
    ("first", "last", "named"),
    [
        (date(2026, 1, 31), DAY, "EVENTMILL_HISTORY_START=2026-02-01"),
        (DAY, DAY - timedelta(days=1), "lies before --from"),
        (date(2026, 2, 28), DAY, "Raw events of shop before 2026-03-01T00:00:00+00:00 have left the lake"),
        (date(2999, 1, 1), date(2999, 1, 1), "lies in the future"),
    ],
)
def test_a_range_that_cannot_be_computed_is_refused_by_name(
    first: date, last: date, named: str, connection: psycopg.Connection
) -> None:
    history.record_start(connection, date(2026, 2, 1))
    connection.execute("update control.app set lake_floor = '2026-03-01Z' where app_id = 'shop'")
    with pytest.raises(EventmillError, match=named.replace("+", r"\+")):
        backfills.check_range(connection, [], first, last)


def test_another_apps_lake_floor_does_not_matter(connection: psycopg.Connection) -> None:
    history.record_start(connection, date(2026, 2, 1))
    connection.execute("update control.app set lake_floor = '2026-03-01Z' where app_id = 'shop'")
    backfills.check_range(connection, ["peak"], date(2026, 2, 28), DAY)


@pytest.mark.parametrize(
    ("grain", "expected"),
    [
        ("hour", ("2026-03-03-10:00", "2026-03-06-11:00")),
        ("day", ("2026-03-04", "2026-03-05")),
        ("week", ("2026-02-23", "2026-03-02")),
        ("month", ("2026-03-01", "2026-03-01")),
    ],
)
def test_dates_are_asked_for_by_the_partitions_that_own_them(grain: str, expected: tuple[str, str]) -> None:
    assert partitions(grain, date(2026, 3, 4), date(2026, 3, 5), date(2026, 1, 1)) == expected


def test_no_partition_before_history_is_asked_for() -> None:
    assert partitions("hour", DAY, DAY, DAY)[0] == "2026-03-01-00:00"
    assert partitions("week", DAY, DAY, DAY)[0] == "2026-02-23"


def test_every_table_that_is_computed_is_backfilled() -> None:
    known = set(names.ASSETS)
    assert {(table.asset, table.grain) for table in period_tables.PERIOD_TABLES} <= known


def test_a_range_means_the_dates_of_each_apps_zone(refresher: Refresher) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    found = {(day.app_id, day.local_date) for day in refresher.periods("day", midnight, midnight + timedelta(days=1))}
    assert found == {(app, DAY) for app in ("shop", "peak", "east")}
    months = refresher.periods("month", midnight, midnight + timedelta(days=31))
    assert {month.local_date for month in months} == {DAY}
