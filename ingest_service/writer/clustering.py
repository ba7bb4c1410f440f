"""Puts the rows of a quiet home hour in one order, by app and time, across all of its files.

Statistics then name few apps and short stretches of time for each file, so that a reader of one app skips the rest. An
app that fills a file has files of its own; small ones share. DuckDB sorts, and spills to the disk beyond its memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from eventmill.data_files import write_data_file
from eventmill.delta_log import DataFile
from eventmill.lake import LakeTable
from ingest_service.writer.columns import SHIFTED_PREFIX
from ingest_service.writer.compaction import (
    CLUSTERED_PREFIX,
    MergeLimits,
    SmallFile,
    age_of,
    list_files,
    read_rows,
    replace_files,
)

log = structlog.get_logger(__name__)
_BATCH_ROWS = 65_536
_ORDER = "app_id, event_time, stream_seq, row_no"


@dataclass(frozen=True, slots=True)
class Sorter:
    """DuckDB's limits, and the directory that it spills to."""

    memory_limit: str
    threads: int
    spill: Path

    def ordered(self, files: Sequence[str], columns: pa.Schema) -> Iterator[pa.Table]:
        """Rows of the files, ordered, batch by batch."""
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"set memory_limit = '{self.memory_limit}'")
            connection.execute(f"set threads = {self.threads}")
            connection.execute(f"set temp_directory = '{self.spill}'")
            names = ", ".join(columns.names)
            relation = connection.sql(
                f"select {names} from read_parquet($1, union_by_name=true, hive_partitioning=false) order by {_ORDER}",  # noqa: S608 - names of our own columns
                params=[list(files)],
            )
            for batch in relation.to_arrow_reader(_BATCH_ROWS):
                yield pa.Table.from_batches([batch]).cast(columns)


def due(files: Sequence[SmallFile], now: datetime, limits: MergeLimits) -> list[list[SmallFile]]:
    """Home hours worth clustering: quiet ones of several files, where what is not in order is worth rewriting all."""
    hours: dict[str, list[SmallFile]] = defaultdict(list)
    for file in files:
        if file.prefix != SHIFTED_PREFIX:
            hours[file.folder].append(file)
    return [group for group in hours.values() if _is_due(group, now, limits)]


def _is_due(files: Sequence[SmallFile], now: datetime, limits: MergeLimits) -> bool:
    loose = sum(file.size for file in files if file.prefix != CLUSTERED_PREFIX)
    ordered = sum(file.size for file in files) - loose
    return len(files) > 1 and loose > ordered * limits.quiet_share and age_of(files, now) >= limits.quiet


def cluster(table: LakeTable, sorter: Sorter, limits: MergeLimits, now: datetime) -> int:
    """Cluster what is due; returns how many files were replaced. An hour with a damaged file stays as it is."""
    snapshot = table.snapshot()
    replaced = 0
    for files in due(list_files(snapshot, table.definition.partition_columns), now, limits):
        try:
            for file in files:
                read_rows(table, [file], table.definition.file_columns)  # verifies every page; DuckDB does not
            written = _write(table, files, sorter, limits)
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            log.warning("an hour was not clustered", folder=files[0].folder, reason=str(error))
            continue
        if replace_files(table, files, written, snapshot.version):
            replaced += len(files)
    return replaced


def _write(table: LakeTable, files: Sequence[SmallFile], sorter: Sorter, limits: MergeLimits) -> list[DataFile]:
    definition = table.definition
    paths = [str(table.directory / unquote(file.path)) for file in files]
    values, statistics = files[0].partition_values, definition.statistics
    written: list[DataFile] = []
    try:
        for rows in cut(sorter.ordered(paths, definition.file_columns), limits.full_rows):
            written += [write_data_file(table.directory, rows, values, statistics, CLUSTERED_PREFIX)]
        _check(table, files, written)
    except BaseException:
        for file in written:
            (table.directory / file.path).unlink(missing_ok=True)
        raise
    return written


def _check(table: LakeTable, files: Sequence[SmallFile], written: Sequence[DataFile]) -> None:
    """Raise OSError where rows were lost or doubled."""
    expected = sum(file.rows for file in files)
    found = sum(pq.read_metadata(table.directory / file.path).num_rows for file in written)
    if found != expected:
        msg = f"{found} rows were written of {expected}"
        raise OSError(msg)


def cut(batches: Iterable[pa.Table], full_rows: int) -> Iterator[pa.Table]:
    """Cut ordered rows into files: at full size, and so that an app that is cut shares its files with nobody."""
    shared: list[pa.Table] = []
    own: list[pa.Table] = []
    current, is_split = None, False
    for app_id, rows in _runs(batches):
        if app_id != current:
            if is_split:
                yield from _joined(own)
            else:
                shared += own
            own, current, is_split = [], app_id, False
        own.append(rows)
        if shared and _count(shared) + _count(own) > full_rows:
            yield from _joined(shared)
            shared = []
        while _count(own) >= full_rows:
            together = pa.concat_tables(own)
            yield together.slice(0, full_rows)
            own, is_split = [together.slice(full_rows)], True
    yield from _joined(own if is_split else shared + own)


def _joined(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    if _count(tables):
        yield pa.concat_tables(tables)


def _count(tables: Sequence[pa.Table]) -> int:
    return sum(table.num_rows for table in tables)


def _runs(batches: Iterable[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """Each batch's rows of one app at a time."""
    for rows in batches:
        for app_id in pc.unique(rows["app_id"]).to_pylist():
            yield app_id, rows.filter(pc.equal(rows["app_id"], app_id))
