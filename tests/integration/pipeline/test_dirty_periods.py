"""Commits make the periods dirty that they touch, however old; reconciliation finds what no commit told."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import psycopg
import pytest
from deltalake import DeltaTable

from analytics_pipeline import commits
from analytics_pipeline.goals import refresh_goals
from analytics_pipeline.lib import calendar, lanes
from analytics_pipeline.lib.calendar import Grain
from analytics_pipeline.reconcile import reconcile
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from analytics_pipeline.stores import dirty_periods
from analytics_pipeline.stores import periods as period_store
from eventmill import warehouse
from eventmill.contracts.visitors import DAILY_ID_PREFIX
from eventmill.control import apps, reconciliation
from eventmill.delta_log import log_path
from eventmill.settings import Settings
from tests import oracle
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
OLD = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def dirty(connection: psycopg.Connection) -> set[tuple[str, str, datetime]]:
    return {(p.table_name, p.grain, p.start) for p in dirty_periods.dirty(connection)}


def clean(refresher: Refresher, connection: psycopg.Connection) -> None:
    """Do what the sensor's requests ask for."""
    for request in lanes.plan(dirty_periods.dirty(connection), refresher.clock()):
        if request.asset == "hourly_metric":
            refresher.refresh(refresher.hours(request.first, request.last + timedelta(hours=1)))
        elif request.asset == "daily_metric":
            refresher.refresh(refresher.days(request.first, request.last))
        elif request.asset == "sessions":
            refresh_days(refresher, refresher.days(request.first, request.last))
        elif request.asset == "goal_metric":
            refresh_goals(refresher, refresher.days(request.first, request.last))
        elif request.asset in {"weekly_metric", "monthly_metric"}:
            grain: Grain = "week" if request.asset == "weekly_metric" else "month"
            refresh_long(refresher, refresher.periods(grain, request.first, request.last + timedelta(days=1)))


def totals(connection: psycopg.Connection) -> dict[oracle.Cell, int]:
    rows = connection.execute(
        "select app_id, grain, period_start, traffic, dimension, value_kind, value, events from rollups.metric"
        " where grain in ('hour', 'day')"
    ).fetchall()
    return {tuple(row[:7]): row[7] for row in rows}  # type: ignore[misc]


def everything(connection: psycopg.Connection) -> list[str]:
    """All rows of the rollups, without when they were computed."""
    return sorted(
        row
        for table in ("metric", "session_metric", "revenue", "daily_visitor")
        for (row,) in connection.execute(f"select (to_jsonb(t) - 'computed_at')::text from rollups.{table} as t")
    )


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


def test_reconciliation_asks_for_open_periods_that_were_computed_from_an_older_lake(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    version = lake.append([event("e1", NOW, user_id="u")])
    assert reconcile(refresher).lake_version == version
    assert ("metric", "hour", NOW.replace(minute=0)) in dirty(connection)
    refresher.refresh_open()
    reconcile(refresher)
    assert {key for key in dirty(connection) if key[:2] in {("metric", "hour"), ("metric", "day")}} == set()


def test_reconciliation_asks_for_the_sessions_of_a_day_that_was_wrong(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    lake.append([event("e2", OLD, user_id="u")])
    reconcile(refresher)
    assert ("sessions", "day", OLD.replace(hour=0, minute=0)) in dirty(connection)


def test_reconciliation_asks_for_no_period_of_a_time_zone_that_was_left_meanwhile(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    """Nobody would ever compute it, and it would stay dirty for good."""
    lake.append([event("e1", OLD, user_id="u", app_id="peak")])

    def clock() -> datetime:
        apps.update_app(connection, "peak", time_zone="UTC")
        return NOW

    reconcile(replace(refresher, clock=clock))
    assert dirty(connection) == set()


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


@pytest.mark.parametrize("damage", ["delete from rollups.metric", "update rollups.metric set events = events + 1"])
def test_reconciliation_finds_closed_periods_that_are_missing_or_wrong(
    damage: str,
    settings: Settings,
    lake: HandMadeLake,
    refresher: Refresher,
    connection: psycopg.Connection,
    clock: Clock,
) -> None:
    lake.append(some_events(random.Random(5), 200, OLD - timedelta(hours=5), OLD))
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    before = totals(connection)
    connection.execute(damage)
    reconcile(refresher)
    clean(refresher, connection)
    assert (
        totals(connection) == before == {cell: numbers[0] for cell, numbers in oracle.metric(lake.rows, ZONES).items()}
    )


def test_reconciliation_finds_what_no_commit_told(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(some_events(random.Random(6), 100, OLD - timedelta(hours=5), OLD))
    reconcile(refresher)
    clean(refresher, connection)
    assert totals(connection) == {cell: numbers[0] for cell, numbers in oracle.metric(lake.rows, ZONES).items()}


def test_reconciliation_of_what_is_right_requests_nothing(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    copies = [event("e1", OLD, user_id="u"), event("e1", OLD, user_id="u"), event("e2", OLD, user_id="u")]
    lake.append(copies)
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    assert reconcile(refresher).wrong == []
    assert dirty(connection) == set()


def test_a_comparison_of_what_is_new_looks_at_nothing_else(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    version = lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    reconcile(refresher)
    connection.execute("delete from rollups.metric")
    lake.append([event("e2", OLD + timedelta(days=3), user_id="u")])
    found = reconcile(refresher, is_full=False)
    assert (found.compared, {period.local_date.day for period in found.wrong}) == (2, {4})
    assert found.lake_version == version + 1
    assert {period.local_date.day for period in reconcile(refresher).wrong} == {1, 4}


def test_reconciliation_finds_rows_of_a_cut_that_were_deleted(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u"), event("e2", OLD, user_id="u", event_type="click")])
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    before = totals(connection)
    connection.execute("delete from rollups.metric where dimension = 'event_type' and value = 'click'")
    assert {period.grain for period in reconcile(refresher).asked_for["metric"]} == {"hour", "day", "week", "month"}
    clean(refresher, connection)
    assert totals(connection) == before


@pytest.mark.parametrize(
    ("rows", "tables"),
    [
        ("rollups.metric where grain = 'hour' and dimension = 'page_url' and value = '/b'", {"metric"}),
        ("rollups.metric where grain = 'day' and dimension = 'page_url'", {"metric"}),
        ("rollups.metric where grain = 'week' and traffic = 'human'", {"metric"}),
        ("rollups.session_metric where grain = 'hour' and dimension = 'entry_page'", {"sessions"}),
        ("rollups.session_metric where dimension = 'exit_page' and value_kind = 'value'", {"sessions"}),
        ("rollups.session_metric", {"sessions"}),
        ("rollups.revenue where currency = 'EUR'", {"sessions"}),
        ("rollups.daily_visitor", {"sessions"}),
    ],
)
def test_the_comparison_of_every_hour_finds_and_mends_rows_that_were_deleted_since_they_were_written(
    rows: str,
    tables: set[str],
    settings: Settings,
    lake: HandMadeLake,
    refresher: Refresher,
    connection: psycopg.Connection,
) -> None:
    reconcile(refresher)
    lake.append(
        [
            event("e1", OLD, anonymous_id=f"{DAILY_ID_PREFIX}1", page_url="/a"),
            event("e2", OLD, anonymous_id=f"{DAILY_ID_PREFIX}1", page_url="/b"),
            event("e3", OLD, user_id="u", event_type="purchase", properties='{"revenue": 2, "currency": "EUR"}'),
        ]
    )
    commits.notice(settings, connection, 0, NOW)
    clean(refresher, connection)
    assert set(chain(*reconcile(refresher, is_full=False).asked_for.values())) == set()
    before = everything(connection)
    assert connection.execute(f"delete from {rows}").rowcount > 0
    found = reconcile(refresher, is_full=False)
    assert {name for name, periods in found.asked_for.items() if periods} == tables
    clean(refresher, connection)
    assert everything(connection) == before


def test_reconciliation_leaves_alone_what_starts_before_the_lake_floor(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    connection.execute("update control.app set lake_floor = %s", [OLD + timedelta(hours=1)])
    assert reconcile(refresher).wrong == []
    assert dirty(connection) == set()
