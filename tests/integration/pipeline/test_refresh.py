"""Rollups equal an independent recomputation, however and in whatever order their events arrive."""

import os
import random
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from analytics_pipeline.refresh import OPEN_STATE_FILE, Refresher, StalePeriodsError
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.stores import periods as period_store
from eventmill.control import apps
from eventmill.settings import Settings
from tests import oracle
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
# Histories that are made at random; `SEEDS=20` tries more of them.
SEEDS = int(os.environ.get("SEEDS", "2"))


def stored(connection: psycopg.Connection) -> dict[oracle.Cell, oracle.Numbers]:
    rows = connection.execute(
        "select app_id, grain, period_start, traffic, dimension, value_kind, value,"
        " events, page_views, users, visitors, sessions from rollups.metric"
    ).fetchall()
    return {tuple(row[:7]): tuple(row[7:]) for row in rows}  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_open_periods_equal_a_recomputation_after_every_refresh(
    seed: int, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    rng = random.Random(seed)
    for _ in range(6):
        lake.append(some_events(rng, 120, clock.now - timedelta(minutes=50), clock.now))
        refresher.refresh_open()
        open_keys = {(p.app_id, p.grain, p.start) for p in refresher.open_periods(connection)}
        cells = oracle.metric(lake.rows, ZONES, are_open=True)
        wanted = {cell: value for cell, value in cells.items() if cell[:3] in open_keys}
        found = {cell: value for cell, value in stored(connection).items() if cell[:3] in open_keys}
        assert found == wanted
        clock.now += timedelta(minutes=rng.randrange(25))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_closed_periods_equal_a_recomputation(
    seed: int, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        lake.append(some_events(rng, 300, NOW - timedelta(hours=30), NOW))
    clock.now = NOW + timedelta(days=3)
    days = refresher.days(NOW - timedelta(days=3), NOW + timedelta(days=2))
    refresh_days(refresher, days)
    refresher.refresh(refresher.hours(NOW - timedelta(days=2), NOW + timedelta(hours=3)))
    refresher.refresh(days)
    assert stored(connection) == oracle.metric(lake.rows, ZONES)


def test_closing_a_period_changes_no_cell(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    rng = random.Random(7)
    for _ in range(4):
        lake.append(some_events(rng, 200, NOW - timedelta(minutes=15), NOW))
        refresher.refresh_open()
    before = stored(connection)
    opened = refresher.open_periods(connection)
    clock.now = NOW + timedelta(days=2)
    result = refresher.refresh(opened)
    assert (result.rows_changed, result.rows_deleted) == (0, 0)
    assert stored(connection) == before


def test_a_refresh_reads_only_what_is_new(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    rng = random.Random(1)
    lake.append(some_events(rng, 500, NOW - timedelta(minutes=15), NOW))
    refresher.refresh_open()
    lake.append(some_events(rng, 20, NOW - timedelta(minutes=15), NOW))
    assert refresher.refresh_open().new_rows == 20


def test_a_copy_is_recognised_after_a_pause_that_closed_every_period(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    connection.execute("delete from control.app where app_id <> 'shop'")
    clock.now = NOW.replace(hour=22, minute=30)
    lake.append([event("e1", clock.now, user_id="u")])
    refresher.refresh_open()
    before_midnight = NOW.replace(hour=23, minute=10)
    lake.append([event("e2", before_midnight, received_at=clock.now, user_id="u")])
    refresher.refresh_open()
    clock.now = NOW + timedelta(days=1)
    slow_clock = {"sent_at": before_midnight, "received_at": clock.now - timedelta(minutes=1), "user_id": "u"}
    for _ in range(2):
        lake.append([event("e3", before_midnight, **slow_clock)])
        refresher.refresh_open()
    counts = "select events from rollups.metric where dimension = 'total' and traffic = 'all' and period_start >= %s"
    assert connection.execute(counts, [clock.now.date()]).fetchall() == [(1,), (1,)]


def test_a_lost_state_is_rebuilt(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, settings: Settings
) -> None:
    rng = random.Random(2)
    lake.append(some_events(rng, 200, NOW - timedelta(minutes=15), NOW))
    refresher.refresh_open()
    before = stored(connection)
    (settings.state_dir / OPEN_STATE_FILE).unlink()
    refresher.refresh_open()
    assert stored(connection) == before


def test_a_broken_state_is_rebuilt(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, settings: Settings
) -> None:
    lake.append(some_events(random.Random(2), 200, NOW - timedelta(minutes=15), NOW))
    refresher.refresh_open()
    before = stored(connection)
    (settings.state_dir / OPEN_STATE_FILE).write_bytes(b"what a full disk left")
    refresher.refresh_open()
    assert stored(connection) == before


def test_a_state_whose_tables_an_older_version_made_is_rebuilt(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, settings: Settings
) -> None:
    with refresher.connect_to(settings.state_dir / OPEN_STATE_FILE) as duck:
        duck.execute("create table cut_key (cut_id ubigint)")
    lake.append(some_events(random.Random(2), 200, NOW - timedelta(minutes=15), NOW))
    refresher.refresh_open()
    assert stored(connection) != {}


def test_a_refresh_writes_nothing_of_an_app_whose_time_zone_has_changed_meanwhile(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    lake.append(some_events(random.Random(8), 200, NOW - timedelta(hours=3), NOW))
    clock.now = NOW + timedelta(days=2)
    days = refresher.days(NOW, NOW)
    apps.update_app(connection, "peak", time_zone="Asia/Tehran")
    with pytest.raises(StalePeriodsError):
        refresher.refresh(days)
    assert stored(connection) == {}


def test_locks_do_not_grow_with_the_number_of_apps(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    hours = refresher.hours(NOW, NOW + timedelta(hours=1))
    many = [replace(hour, app_id=f"{hour.app_id}-{number}") for hour in hours for number in range(50)]
    with connection.transaction():
        period_store.lock(connection, "metric", many)
        held = connection.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
    assert held == (2,)


def test_deleted_rows_come_back_once_their_period_is_distrusted(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(some_events(random.Random(3), 200, NOW - timedelta(minutes=15), NOW))
    refresher.refresh_open()
    before = stored(connection)
    connection.execute("delete from rollups.metric where dimension <> 'total'")
    period_store.distrust(connection, "metric", refresher.open_periods(connection), NOW)
    refresher.refresh_open()
    assert stored(connection) == before


def test_a_refresh_with_an_older_lake_writes_nothing(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    version = lake.append(some_events(random.Random(4), 50, NOW - timedelta(minutes=15), NOW))
    clock.now = NOW + timedelta(days=2)
    hours = refresher.hours(NOW - timedelta(hours=2), NOW + timedelta(hours=1))
    refresher.refresh(hours)
    connection.execute("update rollups.periods set computed_version = %s", [version + 1])
    connection.execute("delete from rollups.metric")
    refresher.refresh([hour for hour in hours if hour.start <= NOW < hour.end])
    assert stored(connection) == {}
