"""Merges small data files into larger ones, so that readers and the log stay quick.

Merging by tiers of size keeps the work per event low: a row is rewritten once per tier, not once per run. Files of
hours that have gone quiet are merged to the end. Shifted events stay in files of their own.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from eventmill import delta_log, faults
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, DataFile
from eventmill.errors import LakeError
from eventmill.lake import LakeTable, Snapshot

log = structlog.get_logger(__name__)

# Files of a quiet hour whose rows lie in one order across all of them; they hold no shifted events.
CLUSTERED_PREFIX = "clustered"
_ORDER = ("app_id", "event_time", "received_at", "stream_seq")


@dataclass(frozen=True, slots=True)
class MergeLimits:
    """What is worth merging. A file of `full_rows` rows or `full_bytes` bytes is left alone."""

    fan_in: int = 8
    tier_factor: int = 8
    smallest_tier_bytes: int = 64 * 1024
    full_rows: int = 500_000
    full_bytes: int = 128 * 1024**2
    quiet: timedelta = timedelta(hours=1)
    # What is merged into a quiet hour's large file must be worth rewriting that one.
    quiet_share: float = 0.1
    merges_per_run: int = 64


@dataclass(frozen=True, slots=True)
class SmallFile:
    """An active file of a partition; `folder` and `prefix` say which files it may be merged with."""

    path: str
    size: int
    rows: int
    modified_ms: int
    partition_values: Mapping[str, str]
    folder: str
    prefix: str

    @property
    def as_data_file(self) -> DataFile:
        """The file as a log entry removes it."""
        return DataFile(self.path, self.size, self.partition_values, self.modified_ms, "")


class SourceGoneError(LakeError):
    """Somebody else removed a file that was being merged."""


def list_files(snapshot: Snapshot, partition_columns: Sequence[str]) -> list[SmallFile]:
    """Active files of a snapshot."""
    return [_small_file(row, partition_columns) for row in snapshot.files.to_pylist()]


def _small_file(row: Mapping[str, Any], partition_columns: Sequence[str]) -> SmallFile:
    path = PurePosixPath(row["path"])
    values = {name: str(row[f"partition.{name}"]) for name in partition_columns}
    prefix = path.name.partition("-")[0]
    rows = int(row["num_records"] or 0)
    return SmallFile(row["path"], row["size_bytes"], rows, row["modification_time"], values, str(path.parent), prefix)


def plan(files: Sequence[SmallFile], now: datetime, limits: MergeLimits) -> list[list[SmallFile]]:
    """Groups of files to merge, the most crowded first. What was clustered stays as it is."""
    groups: dict[tuple[str, str], list[SmallFile]] = defaultdict(list)
    for file in files:
        if file.prefix != CLUSTERED_PREFIX and file.size < limits.full_bytes and file.rows < limits.full_rows:
            groups[file.folder, file.prefix].append(file)
    merges = [merge for group in groups.values() for merge in _plan_group(group, now, limits)]
    return sorted(merges, key=len, reverse=True)[: limits.merges_per_run]


def _plan_group(files: list[SmallFile], now: datetime, limits: MergeLimits) -> Iterator[list[SmallFile]]:
    if _is_worth_finishing(files, now, limits):
        yield from _within_limits(files, limits)
        return
    tiers: dict[int, list[SmallFile]] = defaultdict(list)
    for file in files:
        tiers[_tier(file.size, limits)].append(file)
    for tier in tiers.values():
        if len(tier) >= limits.fan_in:
            yield from _within_limits(tier, limits)


def _is_worth_finishing(files: Sequence[SmallFile], now: datetime, limits: MergeLimits) -> bool:
    if len(files) < 2 or age_of(files, now) < limits.quiet:
        return False
    sizes = sorted(file.size for file in files)
    return len(files) >= limits.fan_in or sum(sizes[:-1]) >= sizes[-1] * limits.quiet_share


def age_of(files: Sequence[SmallFile], now: datetime) -> timedelta:
    """Time since the latest of the files was written."""
    return timedelta(milliseconds=now.timestamp() * 1000 - max(file.modified_ms for file in files))


def _tier(size: int, limits: MergeLimits) -> int:
    tier, bound = 0, limits.smallest_tier_bytes
    while size > bound:
        tier, bound = tier + 1, bound * limits.tier_factor
    return tier


def _within_limits(files: Sequence[SmallFile], limits: MergeLimits) -> Iterator[list[SmallFile]]:
    """Oldest first, cut where a merged file would be full."""
    merge: list[SmallFile] = []
    rows = size = 0
    for file in sorted(files, key=lambda file: file.modified_ms):
        if merge and (rows + file.rows > limits.full_rows or size + file.size > limits.full_bytes):
            if len(merge) > 1:
                yield merge
            merge, rows, size = [], 0, 0
        merge.append(file)
        rows, size = rows + file.rows, size + file.size
    if len(merge) > 1:
        yield merge


def merge(
    table: LakeTable, files: Sequence[SmallFile], version: int, reach: faults.Reach = faults.ignore
) -> DataFile | None:
    """Replace `files`, active at `version`, by one sorted file; None where somebody else removed one of them.

    Raises OSError for a source that cannot be read whole (page checksums are verified) or a full disk.
    """
    definition = table.definition
    rows = read_rows(table, files, definition.file_columns)
    ordered = rows.sort_by([(name, "ascending") for name in _ORDER if name in rows.column_names])
    merged = write_data_file(
        table.directory, ordered, files[0].partition_values, definition.statistics, files[0].prefix
    )
    reach("before_compaction_commit")
    if not replace_files(table, files, [merged], version):
        return None
    reach("after_compaction_commit")
    return merged


def read_rows(table: LakeTable, files: Sequence[SmallFile], columns: pa.Schema) -> pa.Table:
    """All rows of the files; a flipped bit raises OSError."""
    for file in files:
        # In Parquet's footer, a bit in a column's name would make the column look empty; pages have checksums.
        unknown = set(pq.read_schema(table.directory / unquote(file.path)).names) - set(columns.names)
        if unknown:
            raise OSError(f"{file.path} has columns that the table has not: {sorted(unknown)}")
    tables = [
        pq.read_table(
            table.directory / unquote(file.path), partitioning=None, schema=columns, page_checksum_verification=True
        )
        for file in files
    ]
    rows = pa.concat_tables(tables)
    expected = sum(file.rows for file in files)
    if rows.num_rows != expected:
        raise OSError(f"{expected} rows were expected in {[file.path for file in files]}, {rows.num_rows} found")
    return rows


def replace_files(table: LakeTable, files: Sequence[SmallFile], written: Sequence[DataFile], version: int) -> bool:
    """Put files with the same rows in the place of `files`, active at `version`.

    False where somebody else removed one of them: what was written is then deleted.
    """
    commit = Commit(written, [file.as_data_file for file in files], is_data_change=False)
    sources = {file.path for file in files}
    while True:
        try:
            version = _follow(table, version, sources)
            table.append(commit, version)
        except CommitConflictError:
            continue
        except SourceGoneError as error:
            for file in written:
                (table.directory / file.path).unlink()
            log.info("merge was given up", reason=error.message)
            return False
        return True


def _follow(table: LakeTable, version: int, sources: set[str]) -> int:
    """Latest version. Raises SourceGoneError where an entry after `version` removed a source."""
    while delta_log.log_path(table.directory, version + 1).exists():
        version += 1
        removed = {
            action["remove"]["path"] for action in delta_log.read(table.directory, version) if "remove" in action
        }
        if removed & sources:
            raise SourceGoneError(f"Version {version} removed {min(removed & sources)}.")
    return version
