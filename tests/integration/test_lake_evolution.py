"""A lake of an earlier version: its tables get the new columns, its files are read as before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema

from eventmill import lake
from eventmill.contracts.schema import EVENTS_SCHEMA, PARTITION_COLUMNS
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit
from eventmill.errors import VersionError
from eventmill.lake import EVENTS, LakeTable
from ingest_service.writer.compact import compact
from ingest_service.writer.compaction import MergeLimits
from tests.lake_of import event
from tests.lake_writer_bench import Lake, batch

pytestmark = pytest.mark.integration

NEW = {"referrer_host", "channel", "click_id", "locale", "time_zone", "plan_violation"}
NOON = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def old_lake(new_directory: Callable[[], Path]) -> Lake:
    """A table as the first version made it, with two files."""
    directory = new_directory()
    columns = pa.schema([column for column in EVENTS_SCHEMA if column.name not in NEW])
    table = LakeTable(directory, EVENTS)
    DeltaTable.create(
        str(table.directory),
        Schema.from_arrow(columns),
        partition_by=PARTITION_COLUMNS,
        configuration={"eventmill.layout": "1", "delta.dataSkippingStatsColumns": ",".join(EVENTS.statistics)},
        raise_if_key_not_exists=False,
    )
    in_file = pa.schema([column for column in columns if column.name not in PARTITION_COLUMNS])
    for number in range(2):
        row = event(f"old-{number}", NOON) | {"stream_seq": 0, "row_no": number}
        rows = pa.Table.from_pylist([row], schema=in_file)
        hour = {"event_date": "2026-03-01", "event_hour": "10"}
        file = write_data_file(table.directory, rows, hour, EVENTS.statistics)
        table.append(Commit([file]), number)
    return Lake(directory)


def migrate(old: Lake) -> None:
    for definition in (EVENTS, lake.QUARANTINE):
        old.table(definition).create()


def test_an_old_table_gets_the_columns_once(old_lake: Lake) -> None:
    before = DeltaTable(str(old_lake.table().directory)).metadata()
    migrate(old_lake)
    migrate(old_lake)
    table = DeltaTable(str(old_lake.table().directory))
    assert pa.schema(table.schema().to_arrow()).names == EVENTS_SCHEMA.names
    assert (table.version(), table.metadata().id) == (3, before.id)
    assert table.metadata().configuration == before.configuration | {"eventmill.layout": "2"}


def test_old_rows_have_nulls_and_new_ones_their_values(old_lake: Lake) -> None:
    migrate(old_lake)
    old_lake.writer().write(batch(1, 1, page_url="https://shop.example/?gclid=x", locale="de"))
    rows = old_lake.rows().to_pylist()
    assert [(row["event_id"], row["channel"], row["locale"]) for row in rows] == [
        ("old-0", None, None),
        ("old-1", None, None),
        *((f"1.{number}", "paid_search", "de") for number in range(3)),
    ]


def test_delta_readers_and_duckdb_read_old_and_new_files_together(old_lake: Lake) -> None:
    migrate(old_lake)
    old_lake.writer().write(batch(1, 1, page_url="/"))
    table = DeltaTable(str(old_lake.table().directory))
    assert table.to_pyarrow_table(columns=["channel"]).num_rows == 5
    sql = "select channel, count(*) from read_parquet($1, hive_partitioning = true, union_by_name = true) group by 1"
    with duckdb.connect() as connection:
        assert set(connection.execute(sql, [table.file_uris()]).fetchall()) == {(None, 2), ("direct", 3)}


def test_compaction_joins_old_and_new_files(old_lake: Lake) -> None:
    migrate(old_lake)
    old_lake.writer().write(batch(1, 1, timestamp=NOON.isoformat(), page_url="/"))
    replaced = compact(old_lake.table(), MergeLimits(fan_in=2), datetime.now(UTC) + timedelta(days=1))
    assert replaced == 3
    assert old_lake.rows()["channel"].to_pylist() == [None, None, "direct", "direct", "direct"]


def test_a_table_of_a_newer_program_is_refused(old_lake: Lake) -> None:
    migrate(old_lake)
    table = old_lake.table()
    metadata = DeltaTable(str(table.directory)).metadata()
    action = {
        "id": metadata.id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": Schema.from_arrow(EVENTS_SCHEMA).to_json(),
        "partitionColumns": PARTITION_COLUMNS,
        "configuration": {"eventmill.layout": "999"},
    }
    table.append(Commit(table_metadata=action), 3)
    with pytest.raises(VersionError, match="layout 999"):
        migrate(old_lake)
