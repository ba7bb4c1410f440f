"""`eventmill migrate` on a fresh warehouse, lake and stream, and again on the same ones."""

import asyncio

import psycopg
import pytest
from click.testing import CliRunner, Result

from eventmill import lake, stream
from eventmill.cli import main
from eventmill.control import migrate as schemas
from eventmill.control import reconciliation
from eventmill.embedded.postgres import PostgresServer
from eventmill.embedded.processes import environment
from eventmill.settings import Settings
from tests.databases import drop_database

pytestmark = pytest.mark.integration


def migrate(settings: Settings) -> Result:
    return CliRunner().invoke(main, ["migrate"], env=environment(settings, {}))


def relations(address: str) -> set[str]:
    with psycopg.connect(address) as connection:
        rows = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('control', 'rollups', 'marts', 'dagster')"
        ).fetchall()
    return {name for (name,) in rows}


async def _stream_exists(settings: Settings) -> bool:
    client = await stream.connect(settings, "test")
    identity = await stream.identify_stream(client.jetstream())
    await client.close()
    return identity.last_seq == 0


def test_every_store_is_there_after_the_first_run_and_the_second_changes_nothing(settings: Settings) -> None:
    first = migrate(settings)
    assert first.exit_code == 0, first.output
    assert {"control.app", "rollups.metric", "marts.daily_metrics", "dagster.runs"} <= relations(
        settings.database_address
    )
    assert lake.LakeTable(lake.lake_directory(settings), lake.EVENTS).exists()
    assert asyncio.run(_stream_exists(settings))
    second = migrate(settings)
    assert (second.exit_code, second.output) == (0, "Everything is at this version.\n")


def test_a_warehouse_of_a_newer_version_is_refused(settings: Settings) -> None:
    with psycopg.connect(settings.database_address) as connection:
        connection.execute("update control.schema_versions set version = 9999 where component = 'postgres'")
    refused = migrate(settings)
    assert refused.exit_code == 1
    assert "version 9999" in refused.output
    assert "Start the newer eventmill again" in refused.output


@pytest.mark.parametrize(("has_history", "is_asked_for"), [(True, True), (False, False)])
def test_an_upgrade_asks_at_once_for_the_sessions_and_weeks_of_the_history_that_is_there(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, has_history: bool, is_asked_for: bool
) -> None:
    every = schemas.migrations()
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute("create database before_sessions")
    try:
        with psycopg.connect(postgres.address("before_sessions"), autocommit=True) as connection:
            monkeypatch.setattr(schemas, "migrations", lambda: {number: every[number] for number in range(1, 13)})
            schemas.migrate(connection)
            if has_history:
                connection.execute(
                    "insert into rollups.periods"
                    " (table_name, app_id, grain, period_start, period_end, local_date, wanted_version)"
                    " values ('metric', 'shop', 'day', '2026-11-01Z', '2026-11-02Z', '2026-11-01', 1)"
                )
            monkeypatch.setattr(schemas, "migrations", lambda: every)
            schemas.migrate(connection)
            assert (reconciliation.wanted_at(connection) is not None) is is_asked_for
    finally:
        with psycopg.connect(postgres.address(), autocommit=True) as connection:
            drop_database(connection, "before_sessions")
