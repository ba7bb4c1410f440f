"""The accounts of arrivals in Postgres: added once, never silently wrong, and what their checks say of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest
from deltalake import DeltaTable

from analytics_pipeline import commits
from analytics_pipeline.defs.arrivals import assets, checks, sensors
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import accounts
from eventmill import arrivals
from eventmill.contracts.derive import hour_of
from eventmill.delta_log import Commit, log_path
from eventmill.lake import encode_note
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, accounting, event

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)
OLD = NOW - timedelta(hours=5)
HOUR = hour_of(OLD)


@pytest.fixture
def settings(settings: Settings, rollups: Any) -> Settings:
    """Over a database that has the marts."""
    return settings.model_copy(update={"database_url": rollups.address})


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOW
    return clock


def row(connection: psycopg.Connection, app_id: str = "shop") -> dict[str, Any]:
    names = "received, stored, counted, later_duplicate, is_balanced, is_complete"
    found = connection.execute(
        f"select {names} from marts.ingest_accounting where app_id = %s and hour = %s", [app_id, HOUR]
    ).fetchone()
    assert found is not None
    return dict(zip(names.split(", "), found, strict=True))


def refresh(refresher: Refresher) -> None:
    refresher.refresh([*refresher.hours(OLD - timedelta(hours=2), OLD), *refresher.days(OLD, OLD)])


def hold(connection: psycopg.Connection) -> None:
    """As if the writer had gone on: the lake is complete through now."""
    connection.execute("update rollups.lake_progress set complete_through = %s", [NOW])


@pytest.fixture
def counted(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> HandMadeLake:
    """An hour with two events and a copy that was stored, noticed and counted."""
    lake.append([event("e1", OLD, user_id="u"), event("e2", OLD, user_id="u")])
    lake.append([event("e1", OLD, user_id="u")])
    commits.notice(settings, connection, 0, NOW)
    hold(connection)
    refresh(refresher)
    return lake


def test_a_counted_hour_is_balanced_and_complete(counted: HandMadeLake, connection: psycopg.Connection) -> None:
    assert row(connection) == {
        "received": 3,
        "stored": 3,
        "counted": 2,
        "later_duplicate": 1,
        "is_balanced": True,
        "is_complete": True,
    }
    result = checks.identities_of(connection, NOW)
    assert (result.passed, result.metadata["hours_compared"].value) == (True, 1)


@pytest.mark.parametrize("since", [0, 1])
def test_a_sensor_that_reads_commits_again_adds_nothing(
    since: int, settings: Settings, counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    before = connection.execute("select * from rollups.ingest_accounting").fetchall()
    commits.notice(settings, connection, since, NOW)
    assert connection.execute("select * from rollups.ingest_accounting").fetchall() == before


def test_a_warehouse_that_fell_behind_the_sensors_cursor_is_told_all_the_same(
    settings: Settings, counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    """Postgres was restored from a backup, Dagster's storage was not."""
    connection.execute("delete from rollups.ingest_accounting")
    connection.execute("update rollups.lake_progress set accounted_version = 0")
    commits.notice(settings, connection, counted.version, NOW)
    assert (row(connection)["received"], row(connection)["is_balanced"]) == (3, True)


def test_an_hour_whose_commits_were_cleaned_up_is_never_called_complete(
    settings: Settings, counted: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    counted.append([event("e3", OLD, user_id="u", received_at=NOW - timedelta(hours=2))])
    counted.append([event("e4", OLD, user_id="u")])
    connection.execute("update rollups.lake_progress set complete_through = %s", [OLD])
    DeltaTable(counted.table.directory).create_checkpoint()
    log_path(counted.table.directory, 3).unlink()
    assert commits.notice(settings, connection, 2, NOW) == 4
    connection.execute("delete from rollups.reconcile_request")
    hold(connection)
    refresh(refresher)
    assert not row(connection)["is_complete"]
    # What is not complete is no alarm.
    assert checks.identities_of(connection, NOW).passed


def test_a_commit_without_accounts_leaves_its_time_incomplete(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, user_id="u")])
    note = encode_note([], NOW)
    lake.table.append(Commit(metadata=note), lake.version)
    commits.notice(settings, connection, 0, NOW)
    hold(connection)
    refresh(refresher)
    gaps = connection.execute("select cause from rollups.ingest_gap").fetchall()
    assert gaps == [("not_told",)]
    assert connection.execute("select count(*) from marts.ingest_accounting where app_id = 'shop'").fetchone() == (1,)


def test_an_hour_is_not_complete_while_one_of_its_events_waits_to_be_counted(
    settings: Settings, counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    connection.execute("update rollups.lake_progress set complete_through = %s", [OLD])
    counted.append([event("e3", OLD, user_id="u")])
    commits.notice(settings, connection, counted.version - 1, NOW)
    hold(connection)
    assert not row(connection)["is_complete"]
    assert not row(connection)["is_balanced"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("update rollups.ingest_accounting set received = received + 1", "received 4 = stored 3"),
        ("delete from rollups.later_duplicate", "stored 3 = counted 2 + later_duplicate 0"),
        ("update rollups.counted_arrival set events = 1", "metric 2, arrivals 1"),
        ("update rollups.metric set events = events + 1", "metric 3, arrivals 2"),
    ],
)
def test_what_does_not_add_up_is_named(
    damage: str, named: str, counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    connection.execute(damage)
    with connection.transaction():
        result = checks.identities_of(connection, NOW)
    assert not result.passed
    assert named in str(result.metadata["wrong"].value)


def broken_hour(connection: psycopg.Connection, received: int, quarantined: int, **columns: Any) -> None:
    values = {"app_id": "shop", "hour": hour_of(NOW), "received": received, "quarantined": quarantined}
    values |= {"stored": received - quarantined, "last": NOW} | columns
    connection.execute(
        "insert into rollups.ingest_accounting values (%(app_id)s, %(hour)s, %(received)s, %(stored)s, 0,"
        " %(quarantined)s, 0, 0, %(last)s, 1, %(last)s)",
        values,
    )
    if quarantined:
        connection.execute(
            "insert into rollups.ingest_reason values (%(app_id)s, %(hour)s, 'quarantined', 'too_old',"
            " %(quarantined)s, 1)",
            values,
        )


@pytest.mark.parametrize(
    ("received", "quarantined", "passed", "severity"),
    [(1000, 10, True, "WARN"), (1000, 11, False, "ERROR"), (50, 1, False, "WARN")],
)
def test_more_than_one_percent_in_quarantine_breaks_the_slo(
    received: int, quarantined: int, passed: bool, severity: str, connection: psycopg.Connection
) -> None:
    broken_hour(connection, received, quarantined)
    result = dg.AssetCheckResult(**checks.slo_of(checks.broken_now(connection)))
    assert (result.passed, result.severity.value) == (passed, severity)
    assert passed or f"too_old {quarantined}" in str(result.metadata["broken"].value)


def test_the_sensor_reports_a_silent_app_once_and_that_it_is_back(
    settings: Settings, connection: psycopg.Connection
) -> None:
    (sensor,) = sensors.sensors(settings)
    last = NOW - timedelta(minutes=40)
    for number in range(1, 6):
        broken_hour(
            connection, 600, 0, hour=hour_of(last) - number * timedelta(hours=1), last=last - timedelta(hours=1)
        )
    broken_hour(connection, 600, 0, hour=hour_of(last), last=last)
    connection.execute("insert into rollups.lake_progress values (true, 1, %s)", [NOW])
    with dg.DagsterInstance.ephemeral() as instance:
        first = sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(first, dg.SensorResult)
        passed = {one.check_name: one.passed for one in first.asset_events}
        assert passed == {"no_app_is_silent": False, "validation_slo": True}
        evaluation = next(one for one in first.asset_events if not one.passed)
        assert f"shop: no events since {last.isoformat()}" in str(evaluation.metadata["silent"].value)
        assert [one["silent_since"] for one in arrivals.today(settings) or [] if one["app_id"] == "shop"] == [last]
        again = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert isinstance(again, dg.SkipReason)
        connection.execute(
            "update rollups.ingest_accounting set last_received_at = %s where hour = %s", [NOW, hour_of(last)]
        )
        assert [one["silent_since"] for one in arrivals.today(settings) or [] if one["app_id"] == "shop"] == [None]
        back = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert isinstance(back, dg.SensorResult)
        assert [one.passed for one in back.asset_events] == [True]
        assert json.loads(back.cursor or "")["no_app_is_silent"] == []


def test_an_app_without_any_event_is_not_silent(connection: psycopg.Connection) -> None:
    connection.execute("insert into rollups.lake_progress values (true, 1, %s)", [NOW])
    assert accounts.update_silence(connection) == {}


def test_nobody_is_called_silent_for_what_the_writer_has_not_written_yet(connection: psycopg.Connection) -> None:
    last = NOW - timedelta(hours=3)
    for number in range(3):
        before = last - timedelta(hours=number)
        broken_hour(connection, 600, 0, hour=hour_of(before), last=before)
    connection.execute("insert into rollups.lake_progress values (true, 1, %s)", [last + timedelta(minutes=5)])
    assert accounts.update_silence(connection) == {}
    connection.execute("update rollups.lake_progress set complete_through = %s", [NOW])
    assert accounts.update_silence(connection) == {"shop": last}


def test_todays_arrivals_are_those_of_the_apps_day(
    settings: Settings, counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    connection.execute("update control.app set time_zone = 'UTC'")
    shop = next(one for one in arrivals.today(settings) or [] if one["app_id"] == "shop")
    expected = (3, 3, 1) if hour_of(OLD).date() == NOW.date() else (0, 0, 0)
    assert (shop["received"], shop["stored"], shop["duplicates"]) == expected


def test_status_says_nothing_of_arrivals_where_postgres_does_not_answer(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/none"})
    assert arrivals.today(away) is None


def test_a_definition_that_is_being_replaced_is_not_compared(
    counted: HandMadeLake, connection: psycopg.Connection
) -> None:
    connection.execute("delete from rollups.counted_arrival")
    since = NOW - timedelta(days=1)
    assert len(accounts.unequal_to_metric(connection, definition_version(), since)) == 1
    assert accounts.unequal_to_metric(connection, "the next one", since) == []


def test_accounts_of_an_app_that_does_not_exist_are_passed_over(
    settings: Settings, lake: HandMadeLake, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", OLD, app_id="gone")])
    commits.notice(settings, connection, 0, NOW)
    assert accounting(lake.rows)[0]["received"] == 1
    assert connection.execute("select count(*) from rollups.ingest_accounting").fetchone() == (0,)


def test_the_hourly_job_evaluates_every_check(
    settings: Settings, counted: HandMadeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTMILL_HOME", str(settings.home))
    monkeypatch.setenv("EVENTMILL_DATABASE_URL", str(settings.database_url))
    job = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(assets.ACCOUNTS.key))
    definitions = dg.Definitions(assets=assets.assets(), asset_checks=checks.checks(), jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("checks").execute_in_process(instance=instance)
    passed = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert passed == {"identities_hold": True, "validation_slo": True, "no_app_is_silent": True}
