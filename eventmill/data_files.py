"""Writes the lake's Parquet files so that they are durable and can be skipped by their statistics."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill import faults
from eventmill.delta_log import DataFile, file_checksum, make_directories, sync_directory, sync_file

# Values that hardly ever repeat, and by whose least and greatest nobody could skip a file.
_SCATTERED = frozenset({"event_id", "properties", "message", "raw", "row_no"})
# These hardly repeat either.
_INSTANTS = frozenset({"event_time", "timestamp", "sent_at"})
# A reader decodes at least a row group, and its threads share them out.
_ROW_GROUP_ROWS = 122_880


def write_data_file(
    table: Path,
    rows: pa.Table,
    partition_values: Mapping[str, str],
    statistics: Sequence[str],
    prefix: str = "part",
    reach: faults.Reach = faults.ignore,
) -> DataFile:
    """Write `rows` (without partition columns) as one fsynced file below `table` and describe it.

    The file carries page checksums: a flipped bit is an error when read with verification, not a wrong number. What
    pages do not cover, Parquet's footer, the checksum of the whole file does.
    Raises OSError where the disk is full; the file then belongs to no commit and a later clean-up removes it.
    """

    def write(path: Path) -> str:
        pq.write_table(rows, path, write_page_checksum=True, store_schema=False, **_encoding(rows.schema))
        return encode_statistics(rows, statistics)

    return _write_durably(table, partition_values, prefix, reach, write)


def write_row_groups(
    table: Path, groups: Iterable[pa.Table], schema: pa.Schema, partition_values: Mapping[str, str]
) -> DataFile:
    """Write each table of `groups` as row groups of its own, one at a time in memory; else as `write_data_file`."""

    def write(path: Path) -> str:
        count = 0
        with pq.ParquetWriter(path, schema, write_page_checksum=True, store_schema=False, **_encoding(schema)) as file:
            for group in groups:
                file.write_table(group.cast(schema), row_group_size=_ROW_GROUP_ROWS)
                count += group.num_rows
        return json.dumps({"numRecords": count})

    return _write_durably(table, partition_values, "part", faults.ignore, write)


def _write_durably(
    table: Path,
    partition_values: Mapping[str, str],
    prefix: str,
    reach: faults.Reach,
    write: Callable[[Path], str],
) -> DataFile:
    """Have `write` make a file, which returns its statistics; bring it to the disk and describe it."""
    folder = "/".join(f"{name}={value}" for name, value in partition_values.items())
    directory = table / folder
    make_directories(directory, table)
    path = directory / f"{prefix}-{uuid.uuid4()}.parquet"
    try:
        statistics = write(path)
        sync_file(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    reach("after_parquet_fsync")
    return DataFile(
        path=f"{folder}/{path.name}" if folder else path.name,
        size=path.stat().st_size,
        partition_values=dict(partition_values),
        modified_ms=time.time_ns() // 1_000_000,
        stats=statistics,
        checksum=file_checksum(path),
    )


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """How columns are written. A dictionary of values that are nearly all different is the column a second time."""
    ordered = [name for name in schema.names if name not in _SCATTERED]
    repeating = [name for name in ordered if name not in _INSTANTS]
    return {"compression": "zstd", "use_dictionary": repeating, "write_statistics": ordered}


def encode_statistics(rows: pa.Table, columns: Sequence[str]) -> str:
    """Delta's per-file statistics (JSON): row count, and least, greatest and null count of each column named."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    for name in columns:
        bounds = pc.min_max(rows.column(name)).as_py()
        least[name], greatest[name] = _plain(bounds["min"]), _plain(bounds["max"])
    nulls = {name: rows.column(name).null_count for name in columns}
    return json.dumps(
        {"numRecords": rows.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls},
        separators=(",", ":"),
    )


def _plain(value: Any) -> Any:
    # Not strftime: it writes the year 5 as «5», which no reader takes for a timestamp.
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z" if isinstance(value, datetime) else value
