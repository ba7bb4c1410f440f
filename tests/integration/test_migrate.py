"""`eventmill migrate` on a fresh warehouse, lake and stream, and again on the same ones."""

import asyncio

import psycopg
import pytest
from click.testing import CliRunner, Result

from eventmill import lake, stream
from eventmill.cli import main
from eventmill.embedded.processes import environment
from eventmill.settings import Settings

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
