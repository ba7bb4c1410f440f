"""Replaces days of the lake tables that are computed from the events: partition by partition, in one durable commit."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date

import pyarrow as pa

from eventmill.data_files import write_row_groups
from eventmill.delta_log import Commit, CommitConflictError, DataFile
from eventmill.lake import LakeTable, Snapshot

log = logging.getLogger(__name__)
# (local date, app): a partition.
Day = tuple[date, str]
# Names, in a commit's note, the version of `events` that its rows were computed from.
LAKE_VERSION = "lake_version"


def replace(
    table: LakeTable, days: Sequence[Day], rows_of: Callable[[Day], Iterable[pa.Table]], lake_version: int
) -> int:
    """Make `rows_of` each of `days` the whole content of that partition; returns the table's new version.

    `rows_of` gives tables with the definition's file columns, in the order in which they are to lie; each becomes row
    groups of its own, so that a reader who wants one of them passes over the others. A day without rows ends up without
    a file. Whoever reads an older version meanwhile keeps its files until a clean-up.
    Raises OSError where the disk is full: the table then is as it was.
    """
    adds = [file for day in days if (file := _write(table, day, rows_of(day))) is not None]
    while True:
        snapshot = table.snapshot()
        removes = _files_of(snapshot, set(days))
        if not adds and not removes:
            return snapshot.version
        note = {"operationParameters": {"mode": "Overwrite"}, LAKE_VERSION: lake_version}
        try:
            return table.append(Commit(adds=adds, removes=removes, metadata=note), snapshot.version)
        except CommitConflictError:
            log.info("Somebody else committed to %s; taking its latest version.", table.definition.name)


def _write(table: LakeTable, day: Day, groups: Iterable[pa.Table]) -> DataFile | None:
    filled = iter(group for group in groups if group.num_rows)
    first = next(filled, None)
    if first is None:
        return None
    partition = {"local_date": day[0].isoformat(), "app_id": day[1]}
    return write_row_groups(table.directory, _chain(first, filled), table.definition.file_columns, partition)


def _chain(first: pa.Table, rest: Iterable[pa.Table]) -> Iterable[pa.Table]:
    yield first
    yield from rest


def _files_of(snapshot: Snapshot, days: set[Day]) -> list[DataFile]:
    if snapshot.files.num_rows == 0:
        return []
    columns = ["path", "size_bytes", "partition.local_date", "partition.app_id"]
    return [
        DataFile(
            path=row["path"],
            size=row["size_bytes"],
            partition_values={"local_date": str(row["partition.local_date"]), "app_id": row["partition.app_id"]},
            modified_ms=0,  # not part of a remove action
            stats="",
        )
        for row in snapshot.files.select(columns).to_pylist()
        if (row["partition.local_date"], row["partition.app_id"]) in days
    ]
