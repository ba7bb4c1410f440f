"""Rejected events, and people per day whose events are archived, have horizons of their own."""

from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa
import pytest

from eventmill.archive.horizons import expire
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit
from eventmill.lake import ACTOR_DAYS, QUARANTINE, LakeTable, TableDefinition, lake_directory
from eventmill.settings import Settings
from tests.lake_of import HandMadeLake

pytestmark = pytest.mark.integration
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
OLD, YOUNG = (NOW - timedelta(days=500)).date().isoformat(), (NOW - timedelta(days=20)).date().isoformat()


def put(settings: Settings, definition: TableDefinition, partition: dict[str, str]) -> None:
    """One row, whose values do not matter."""
    table = LakeTable(lake_directory(settings), definition)
    values = {"string": "x", "bool": False, "int64": 1, "int32": 1, "binary": b"{}"}
    row = {column.name: values.get(str(column.type), NOW) for column in definition.file_columns}
    rows = pa.Table.from_pylist([row], schema=definition.file_columns)
    file = write_data_file(table.directory, rows, partition, definition.statistics)
    table.append(Commit(adds=[file]), table.version())


def left(settings: Settings, definition: TableDefinition, column: str) -> list[tuple[str, ...]]:
    files = LakeTable(lake_directory(settings), definition).snapshot().files
    return sorted((str(row[f"partition.{column}"]), row.get("partition.app_id", "")) for row in files.to_pylist())


@pytest.mark.usefixtures("lake")
def test_rejected_events_go_after_their_days(settings: Settings, connection: psycopg.Connection) -> None:
    for day in (OLD, YOUNG):
        put(settings, QUARANTINE, {"received_date": day})
    assert expire(settings, NOW, is_dry_run=True)["quarantine"] == 1
    assert expire(settings, NOW)["quarantine"] == 1
    assert left(settings, QUARANTINE, "received_date") == [(YOUNG, "")]
    assert connection.execute("select count(*) from control.archive_part").fetchone() == (0,)


def test_people_per_day_stay_while_their_events_are_in_the_lake(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    for day in (OLD, YOUNG):
        for app_id in ("shop", "east"):
            put(settings, ACTOR_DAYS, {"local_date": day, "app_id": app_id})
    assert expire(settings, NOW)["actor_days"] == 0
    connection.execute("update control.app set lake_floor = %s where app_id = 'shop'", [NOW - timedelta(days=30)])
    assert expire(settings, NOW)["actor_days"] == 1
    assert left(settings, ACTOR_DAYS, "local_date") == [(OLD, "east"), (YOUNG, "east"), (YOUNG, "shop")]
    assert lake.rows == []
