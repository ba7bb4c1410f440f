"""Commits make the periods dirty that they touch, however old."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from deltalake import DeltaTable

from analytics_pipeline import commits
from analytics_pipeline.lib import calendar
from analytics_pipeline.reconcile import reconcile
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import dirty_periods
from analytics_pipeline.stores import periods as period_store
from eventmill import warehouse
from eventmill.control import apps, reconciliation
from eventmill.delta_log import log_path
from eventmill.settings import Settings
from tests import oracle
from tests.dirty_periods import clean, dirty, totals
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
OLD = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_a_commit_makes_dirty_what_it_touches_however_old(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    hour, day = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    week, month = datetime(2026, 2, 23, tzinfo=UTC), day
    found = dirty(connection)
    assert {key for key in found if key[0] == "metric"} == {
        ("metric", "hour", hour),
        ("metric", "day", day),
        ("metric", "week", week),
        ("metric", "month", month),
    }
    # The days beside it have no sessions yet that it could move.
    assert {start for table, _, start in found if table == "sessions"} == {day}


def test_events_of_a_closed_period_are_pending_until_it_is_computed(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u"), event("e2", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    pending = "select sum(late_pending)::int from rollups.periods where table_name = 'metric' and grain = 'hour'"
    assert connection.execute(pending).fetchone() == (2,)
    clean(refresher, connection)
    assert connection.execute(pending).fetchone() == (0,)


def test_what_was_computed_from_a_newer_lake_does_not_become_dirty_again(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", NOW, user_id="u")])
    refresher.refresh_open()
    commits.notice(settings, connection, 0, NOW)
    assert {key for key in dirty(connection) if key[:2] in {("metric", "hour"), ("metric", "day")}} == set()


def test_a_period_that_closes_is_computed_once_more(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    version = lake.append([event("e1", NOW, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    clock.now = datetime(2026, 5, 12, 15, 5, tzinfo=UTC)
    commits.notice(settings, connection, version, clock.now)
    assert dirty(connection) == {("metric", "hour", datetime(2026, 5, 12, 14, tzinfo=UTC))}
    clean(refresher, connection)
    assert dirty(connection) == set()


def test_a_period_lags_behind_since_the_lake_was_looked_at_before(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    """An event that came in while the sensor was away is missing from the moment it came, not from the next tick."""
    looked_at = NOW - timedelta(hours=1)
    version = lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, looked_at)
    connection.execute("update rollups.lake_progress set complete_through = %s", [looked_at])
    connection.execute("delete from rollups.periods")
    lake.append([event("e2", OLD, user_id="u")])
    commits.notice(settings, connection, version, NOW)
    assert {period.dirty_since for period in dirty_periods.dirty(connection)} == {looked_at}


def test_what_stays_dirty_lags_behind_since_the_lake_that_it_was_computed_from(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    """Under a steady flow a running day is never clean, and yet not as old as its first event."""
    version = lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW - timedelta(hours=1))
    connection.execute("update rollups.lake_progress set complete_through = %s", [NOW])
    (hour,) = calendar.hours_meeting("shop", ZONES["shop"], OLD, OLD + timedelta(microseconds=1))
    with connection.transaction():
        period_store.lock(connection, "metric", [hour])
        period_store.mark_dirty(connection, "metric", [(hour, 1)], version + 1, NOW)
        period_store.mark_computed(connection, "metric", [hour], version, "a definition", NOW)
    since = {(one.grain, one.start): one.dirty_since for one in dirty_periods.dirty(connection)}
    assert since["hour", hour.start] == NOW
    assert since["day", min(start for grain, start in since if grain == "day")] < NOW


def test_a_sensor_that_was_away_reads_in_portions_and_claims_nothing_that_it_has_not_read(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "MAX_COMMITS", 1)
    silent_until = datetime.now(UTC) + timedelta(hours=1)
    claimed = "select complete_through = %s from rollups.lake_progress"
    lake.append([event("e1", OLD, user_id="u")])
    lake.append([event("e2", OLD, user_id="u")])
    assert commits.notice(settings, connection, 0, NOW, silent_until) == 1
    assert connection.execute(claimed, [silent_until]).fetchone() == (False,)
    assert commits.notice(settings, connection, 1, NOW, silent_until) == 2
    assert connection.execute(claimed, [silent_until]).fetchone() == (True,)


def test_sensor_and_refresh_change_periods_one_after_the_other(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    with warehouse.connect(settings) as other:
        period_store.alone(other)
        connection.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            commits.notice(settings, connection, 0, NOW)


def test_a_cursor_that_log_clean_up_has_passed_has_the_whole_lake_compared(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    version = lake.append([event("e2", OLD, user_id="u")])
    DeltaTable(lake.table.directory).create_checkpoint()
    log_path(lake.table.directory, 1).unlink()
    assert commits.notice(settings, connection, 0, NOW) == version
    assert reconciliation.wanted_at(connection) is not None
    reconcile(refresher)
    assert reconciliation.wanted_at(connection) is None
    assert ("metric", "hour", OLD.replace(minute=0)) in dirty(connection)


def test_a_new_time_zone_has_its_numbers_computed_anew(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(some_events(random.Random(8), 100, OLD - timedelta(hours=5), OLD))
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    apps.update_app(connection, "shop", time_zone="Asia/Tehran")
    assert reconciliation.wanted_at(connection) is not None
    reconcile(refresher)
    clean(refresher, connection)
    zones = ZONES | {"shop": ZoneInfo("Asia/Tehran")}
    assert totals(connection) == {cell: numbers[0] for cell, numbers in oracle.metric(lake.rows, zones).items()}


def test_nothing_is_called_complete_while_a_comparison_is_wanted(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    version = lake.append([event("e1", OLD, user_id="u")])
    reconciliation.request(connection)
    commits.notice(settings, connection, 0, NOW, silent_until=NOW)
    complete = "select complete_through from rollups.lake_progress"
    assert connection.execute(complete).fetchone() == (None,)
    reconciliation.done(connection, reconciliation.wanted_at(connection))
    commits.notice(settings, connection, version, NOW, silent_until=NOW)
    assert connection.execute(complete).fetchone() == (NOW,)
