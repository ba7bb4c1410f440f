"""Counted events and later duplicates by hour of arrival are exact, whatever copies, clocks and lateness do."""

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics_pipeline import commits
from analytics_pipeline.lib import lanes
from analytics_pipeline.reconcile import reconcile
from analytics_pipeline.refresh import OPEN_STATE_FILE, Refresher
from analytics_pipeline.stores import dirty_periods
from eventmill.contracts.derive import hour_of
from eventmill.control import apps
from eventmill.control.deletion import _delete_rows
from eventmill.settings import Settings
from tests import oracle
from tests.lake_of import NOW, Clock, HandMadeLake, Row, event, some_events

pytestmark = pytest.mark.integration
# Histories that are made at random; `SEEDS=20` tries more of them.
SEEDS = int(os.environ.get("SEEDS", "2"))
Hours = dict[tuple[str, datetime], int]


def hours(connection: psycopg.Connection, table: str) -> Hours:
    rows = connection.execute(
        f"select app_id, received_hour, sum(events)::int from rollups.{table} group by 1, 2"
    ).fetchall()
    return {(app_id, hour): events for app_id, hour, events in rows}


def by_hour(rows: list[Row]) -> Hours:
    return dict(Counter((row["app_id"], hour_of(row["received_at"])) for row in rows))


def assert_exact(connection: psycopg.Connection, lake: HandMadeLake) -> None:
    unique = oracle.unique_events(lake.rows)
    assert hours(connection, "counted_arrival") == by_hour(unique)
    assert hours(connection, "later_duplicate") == dict(Counter(by_hour(lake.rows)) - Counter(by_hour(unique)))


def assert_counted_equals_metric(connection: psycopg.Connection) -> None:
    wrong = connection.execute(
        "select * from (select app_id, period_start, sum(events) as counted from rollups.counted_arrival group by 1, 2)"
        " as arrived full join (select app_id, period_start, events from rollups.metric where grain = 'hour'"
        "  and dimension = 'total' and traffic = 'all') as metric using (app_id, period_start)"
        " where counted is distinct from events"
    ).fetchall()
    assert wrong == []


def catch_up(settings: Settings, refresher: Refresher, connection: psycopg.Connection, since: int) -> int:
    """What sensor and runs do."""
    version = commits.notice(settings, connection, since, refresher.clock())
    # Many late hours wait for more; here they have waited.
    waited = [replace(one, dirty_since=datetime.min.replace(tzinfo=UTC)) for one in dirty_periods.dirty(connection)]
    for request in lanes.plan(waited, refresher.clock()):
        if request.asset == "hourly_metric":
            refresher.refresh(refresher.hours(request.first, request.last + timedelta(hours=1)))
        elif request.asset == "daily_metric":
            refresher.refresh(refresher.days(request.first, request.last))
    return version


@pytest.mark.parametrize("seed", range(SEEDS))
def test_arrivals_equal_a_recomputation_while_hours_open_and_close(
    seed: int,
    settings: Settings,
    lake: HandMadeLake,
    refresher: Refresher,
    connection: psycopg.Connection,
    clock: Clock,
) -> None:
    rng = random.Random(seed)
    version = 0
    for number in range(6):
        late = timedelta(hours=rng.choice([0, 0, 3, 30]))
        fresh = some_events(rng, 80, clock.now - late - timedelta(minutes=50), clock.now - late)
        again = [row | {"received_at": clock.now} for row in rng.sample(lake.rows, min(20, len(lake.rows)))]
        lake.append([*fresh, *again])
        version = catch_up(settings, refresher, connection, version)
        assert_exact(connection, lake)
        assert_counted_equals_metric(connection)
        if number == 3:
            (settings.state_dir / OPEN_STATE_FILE).unlink(missing_ok=True)
        clock.now += timedelta(minutes=rng.randrange(45))


def test_a_copy_of_a_closed_hour_is_a_later_duplicate_of_the_hour_in_which_it_arrived(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    old = NOW - timedelta(days=3)
    lake.append([event("e1", old, user_id="u")])
    lake.append([event("e1", old, user_id="u", received_at=NOW)])
    catch_up(settings, refresher, connection, 0)
    assert hours(connection, "counted_arrival") == {("shop", hour_of(old)): 1}
    assert hours(connection, "later_duplicate") == {("shop", hour_of(NOW)): 1}


def test_both_identities_survive_another_time_zone(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    old = NOW - timedelta(days=3)
    lake.append(some_events(random.Random(4), 60, old - timedelta(hours=3), old))
    version = catch_up(settings, refresher, connection, 0)
    accounts = "select * from rollups.ingest_accounting order by 1, 2"
    before = connection.execute(accounts).fetchall()
    apps.update_app(connection, "shop", time_zone="Asia/Kathmandu")
    reconcile(refresher)
    catch_up(settings, refresher, connection, version)
    assert_exact(connection, lake)
    assert connection.execute(accounts).fetchall() == before


def test_a_copy_that_left_the_lake_is_no_later_duplicate_any_more(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    """As after an erasure: the home hour is read again, whole, and what it does not hold goes."""
    old = NOW - timedelta(days=3)
    lake.append([event("e1", old, user_id="u"), event("e1", old, user_id="u"), event("e2", old, user_id="v")])
    version = catch_up(settings, refresher, connection, 0)
    connection.execute("update rollups.later_duplicate set received_hour = received_hour - interval '1 hour'")
    lake.append([event("e3", old, user_id="w")])
    catch_up(settings, refresher, connection, version)
    assert_exact(connection, lake)


def test_a_deleted_apps_accounts_go_with_it(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", NOW, user_id="u"), event("e1", NOW, user_id="u"), event("e2", NOW, app_id="peak")])
    version = catch_up(settings, refresher, connection, 0)
    _delete_rows(connection, "shop")
    catch_up(settings, refresher, connection, version)
    for table in ("ingest_accounting", "counted_arrival", "later_duplicate"):
        found = connection.execute(f"select distinct app_id from rollups.{table}").fetchall()
        assert found in ([("peak",)], [])


def test_an_older_lake_does_not_replace_the_copies_of_a_newer_one(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    old = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    lake.append([event("e1", old, user_id="u"), event("e1", old, user_id="u")])
    connection.execute(
        "insert into rollups.later_duplicate values ('shop', %(hour)s, %(hour)s, 7, 99)", {"hour": hour_of(old)}
    )
    catch_up(settings, refresher, connection, 0)
    assert hours(connection, "later_duplicate") == {("shop", hour_of(old)): 7}
