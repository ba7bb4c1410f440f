"""Removes an app's rows from a lake table: rewrites the files that hold any, and destroys the old ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, DataFile, sync_directory
from eventmill.lake import LakeTable, Snapshot

FILES_PER_COMMIT = 50


class AppRemoval:
    """Deletes the rows of one app from one table; run again after a crash, it finishes what was begun.

    `journal` is a file of its own that lists data files to destroy once no version of the table refers to them.
    """

    def __init__(self, table: LakeTable, app_id: str, journal: Path) -> None:
        self._table, self._app_id, self._journal = table, app_id, journal

    def run(self) -> int:
        """Delete, and return how many rows went.

        Whoever reads an older version of the table meanwhile gets an error for a missing file and reads again.
        """
        deleted = 0
        while batch := self._candidates(self._table.snapshot()):
            deleted += self._rewrite(batch)
        self._destroy()
        return deleted

    def _candidates(self, snapshot: Snapshot) -> list[DataFile]:
        """Files whose statistics allow rows of the app, and that do hold some; at most FILES_PER_COMMIT."""
        found: list[DataFile] = []
        for file in _files(snapshot, self._app_id, self._table.definition.partition_columns):
            column = pq.read_table(self._table.directory / file.path, columns=["app_id"], partitioning=None)["app_id"]
            if pc.any(pc.equal(column, self._app_id)).as_py():
                found.append(file)
            if len(found) == FILES_PER_COMMIT:
                break
        return found

    def _rewrite(self, files: Sequence[DataFile]) -> int:
        """Replace files by ones without the app's rows, in one commit; 0 where another commit took one of them."""
        written: list[DataFile] = []
        deleted = 0
        for file in files:
            rows = pq.read_table(self._table.directory / file.path, partitioning=None, page_checksum_verification=True)
            kept = rows.filter(pc.not_equal(rows["app_id"], self._app_id))
            deleted += rows.num_rows - kept.num_rows
            if kept.num_rows:
                written.append(self._write(kept, file))
        self._note([file.path for file in files])
        commit = Commit(adds=written, removes=files, metadata={"deleted_app": self._app_id})
        if self._commit(commit):
            return deleted
        for file in written:
            (self._table.directory / file.path).unlink()
        return 0

    def _write(self, rows: pa.Table, replaced: DataFile) -> DataFile:
        definition = self._table.definition
        # Readers tell files by their prefix; what follows it is «-», a UUID and the suffix.
        prefix = Path(replaced.path).name.rsplit("-", 5)[0]
        return write_data_file(self._table.directory, rows, replaced.partition_values, definition.statistics, prefix)

    def _commit(self, commit: Commit) -> bool:
        """Commit on top of whatever others committed; False where they removed a file that this commit replaces."""
        replaced = {file.path for file in commit.removes}
        while True:
            snapshot = self._table.snapshot()
            if not replaced <= set(snapshot.files["path"].to_pylist()):
                return False
            try:
                self._table.append(commit, snapshot.version)
            except CommitConflictError:
                continue
            return True

    def _note(self, paths: Sequence[str]) -> None:
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.writelines(f"{path}\n" for path in paths)

    def _destroy(self) -> None:
        if not self._journal.exists():
            return
        active = set(self._table.snapshot().files["path"].to_pylist())
        for path in self._journal.read_text(encoding="utf-8").splitlines():
            file = self._table.directory / path
            if path not in active and file.exists():
                file.unlink()
                sync_directory(file.parent)
        self._journal.unlink()


def _files(snapshot: Snapshot, app_id: str, partition_columns: Sequence[str]) -> Iterator[DataFile]:
    for row in snapshot.files.to_pylist():
        least, greatest = row.get("min.app_id"), row.get("max.app_id")
        if least is not None and greatest is not None and not least <= app_id <= greatest:
            continue
        yield DataFile(
            path=row["path"],
            size=row["size_bytes"],
            partition_values={name: _text(row[f"partition.{name}"]) for name in partition_columns},
            modified_ms=0,  # not part of a remove action
            stats="",
        )


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
