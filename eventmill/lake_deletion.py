"""Removes an app's rows from a lake table: rewrites the files that hold any, and destroys the old ones."""

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eventmill import row_removal
from eventmill.delta_log import Commit, DataFile
from eventmill.lake import LakeTable
from eventmill.row_removal import Hit, Journal

FILES_PER_COMMIT = 50


class AppRemoval:
    """Deletes the rows of one app from one table; run again after a crash, it finishes what was begun.

    `journal` is a file of its own that lists data files to destroy once no version of the table refers to them.
    """

    def __init__(self, table: LakeTable, app_id: str, journal: Path) -> None:
        self._table, self._app_id, self._journal = table, app_id, Journal(table, journal)

    def run(self) -> int:
        """Delete, and return how many rows went.

        Whoever reads an older version of the table meanwhile gets an error for a missing file and reads again.
        """
        deleted = 0
        while hits := self._hits():
            self._journal.note(hit.file for hit in hits)
            commit = Commit(
                adds=row_removal.write_rest(self._table, hits, self._doomed),
                removes=[hit.file for hit in hits],
                metadata={"deleted_app": self._app_id},
            )
            if row_removal.commit_replacement(self._table, commit):
                deleted += sum(hit.doomed for hit in hits)
        self._journal.destroy()
        return deleted

    def _hits(self) -> list[Hit]:
        """Files that hold some of the app's rows; at most FILES_PER_COMMIT."""
        if "app_id" in self._table.definition.partition_columns:
            return self._whole_files()
        files = row_removal.active_files(self._table, self._table.snapshot(), self._may_hold)
        return list(islice(row_removal.find(self._table, files, ["app_id"], self._doomed), FILES_PER_COMMIT))

    def _whole_files(self) -> list[Hit]:
        snapshot = self._table.snapshot()
        counts = {row["path"]: int(row["num_records"] or 0) for row in snapshot.files.to_pylist()}
        files = row_removal.active_files(
            self._table, snapshot, lambda row: bool(row["partition.app_id"] == self._app_id)
        )
        return [Hit(file, counts[file.path], counts[file.path]) for file in islice(files, FILES_PER_COMMIT)]

    def _doomed(self, rows: pa.Table, _: DataFile) -> pa.ChunkedArray:
        return pc.equal(rows["app_id"], self._app_id)

    def _may_hold(self, row: dict[str, Any]) -> bool:
        least, greatest = row.get("min.app_id"), row.get("max.app_id")
        return least is None or greatest is None or bool(least <= self._app_id <= greatest)
