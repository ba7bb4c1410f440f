"""A comparison finds what no commit told, and what somebody deleted or changed."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import psycopg
import pytest

from analytics_pipeline import commits
from analytics_pipeline.reconcile import reconcile
from analytics_pipeline.refresh import Refresher
from eventmill.contracts.visitors import DAILY_ID_PREFIX
from eventmill.control import apps
from eventmill.settings import Settings
from tests import oracle
from tests.dirty_periods import clean, dirty, everything, totals
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
OLD = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


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
