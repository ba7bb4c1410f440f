"""Rows leave a lake table: the files that hold any are replaced by ones without them, in one commit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, DataFile, sync_directory
from eventmill.lake import LakeTable, Snapshot

# Which of some rows go: a boolean for each. The file says of which partition they are.
Doomed = Callable[[pa.Table, DataFile], pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that holds rows to remove: how many of how many."""

    file: DataFile
    doomed: int
    rows: int


def active_files(
    table: LakeTable, snapshot: Snapshot, may_hold: Callable[[dict[str, Any]], bool] = lambda _: True
) -> Iterator[DataFile]:
    """Files whose row of `Snapshot.files` passes `may_hold`, as a log entry removes them."""
    for row in snapshot.files.to_pylist():
        if may_hold(row):
            values = {name: _text(row[f"partition.{name}"]) for name in table.definition.partition_columns}
            # Neither the time nor statistics are part of a remove action.
            yield DataFile(row["path"], row["size_bytes"], values, modified_ms=0, stats="")


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def find(table: LakeTable, files: Iterable[DataFile], columns: Sequence[str], doomed: Doomed) -> Iterator[Hit]:
    """Files that do hold rows to remove; `columns` are what `doomed` looks at."""
    for file in files:
        rows = read(table, file, columns)
        count = pc.sum(doomed(rows, file)).as_py() or 0
        if count:
            yield Hit(file, count, rows.num_rows)


def read(table: LakeTable, file: DataFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a file; columns that it was written without are null. Raises OSError where a page is not as written."""
    path = table.directory / unquote(file.path)
    schema = table.definition.file_columns
    chosen = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    return pq.read_table(path, schema=chosen, partitioning=None, page_checksum_verification=True)


def write_rest(table: LakeTable, hits: Sequence[Hit], doomed: Doomed) -> list[DataFile]:
    """Write what stays of each file; a file of which nothing stays has no successor."""
    return [_write_rest(table, hit.file, doomed) for hit in hits if hit.doomed < hit.rows]


def _write_rest(table: LakeTable, file: DataFile, doomed: Doomed) -> DataFile:
    rows = read(table, file)
    kept = rows.filter(pc.invert(doomed(rows, file)))
    # Readers tell files by their prefix; what follows it is «-», a UUID and the suffix.
    prefix = Path(file.path).name.rsplit("-", 5)[0]
    return write_data_file(table.directory, kept, file.partition_values, table.definition.statistics, prefix)


def commit_replacement(table: LakeTable, commit: Commit) -> bool:
    """Commit on top of whatever others committed; False where they removed a file that this commit replaces.

    The files that it would have added are then gone.
    """
    replaced = {file.path for file in commit.removes}
    while True:
        snapshot = table.snapshot()
        if not replaced <= set(snapshot.files["path"].to_pylist()):
            for file in commit.adds:
                (table.directory / file.path).unlink()
            return False
        try:
            table.append(commit, snapshot.version)
        except CommitConflictError:
            continue
        return True


class Journal:
    """A file of its own that lists data files to destroy once no version of the table refers to them."""

    def __init__(self, table: LakeTable, path: Path) -> None:
        self._table, self._path = table, path

    def note(self, files: Iterable[DataFile]) -> None:
        """Add files, before the commit that removes them."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as journal:
            journal.writelines(f"{file.path}\n" for file in files)

    def destroy(self) -> int:
        """Delete what was noted and is not active; returns how many. Whoever still reads one gets an error."""
        if not self._path.exists():
            return 0
        active = set(self._table.snapshot().files["path"].to_pylist())
        destroyed = 0
        for path in self._path.read_text(encoding="utf-8").splitlines():
            file = self._table.directory / unquote(path)
            if path not in active and file.exists():
                file.unlink()
                sync_directory(file.parent)
                destroyed += 1
        self._path.unlink()
        return destroyed
