"""Removes what is in the archive from the lake: one commit a part, beside the writer that appends and the compactor."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eventmill import row_removal
from eventmill.archive.due import rows_of
from eventmill.archive.parts import Part
from eventmill.archive.store import ArchiveStore
from eventmill.archive.writing import read_part
from eventmill.delta_log import Commit, DataFile
from eventmill.lake import LakeTable
from eventmill.row_removal import Hit

PLACE = ("stream_seq", "row_no", "received_at")
_COLUMNS = ("app_id", "received_at")


@dataclass(frozen=True, slots=True)
class PartRemoval:
    """The removal of a part's rows from the lake."""

    table: LakeTable
    part: Part

    def run(self) -> bool:
        """Remove the rows; False where the lake holds others of these hours than the part, which then is of no use.

        That is so where a replay, which keeps its old instant of arrival, came in between. The files that are replaced
        stay for readers of older versions until clean-up finds that nobody can need them.
        """
        while True:
            hits = list(row_removal.find(self.table, self._files(), _COLUMNS, self._doomed))
            counts: Counter[int] = Counter()
            for hit in hits:
                counts[int(hit.file.partition_values["event_hour"])] += hit.doomed
            if dict(counts) != dict(self.part.hours):
                return False
            if self._replace(hits):
                return True

    def _replace(self, hits: list[Hit]) -> bool:
        """Commit; False where a compaction took one of the files, and it has to be looked again."""
        commit = Commit(
            adds=row_removal.write_rest(self.table, hits, self._doomed),
            removes=[hit.file for hit in hits],
            metadata={"operation": "ARCHIVE", "archived_part": str(self.part.part_id)},
            # Rows move to the archive: whoever follows the table, such as the window of recent ids, learns nothing.
            is_data_change=False,
        )
        return row_removal.commit_replacement(self.table, commit)

    def is_done(self, store: ArchiveStore) -> bool:
        """Whether the lake holds none of the part's rows: all of them go in one commit, so one row tells."""
        if not self.part.rows:
            return True
        first = next(read_part(store, self.part)).slice(0, 1)
        hour = str(first["event_hour"][0].as_py())
        files = (file for file in self._files() if file.partition_values["event_hour"] == hour)
        return not any(
            pc.any(at_places(row_removal.read(self.table, file, PLACE), first)).as_py() or False for file in files
        )

    def _files(self) -> Iterator[DataFile]:
        hours = self.part.hours
        return row_removal.active_files(
            self.table,
            self.table.snapshot(),
            lambda row: row["partition.event_date"] == self.part.event_date and row["partition.event_hour"] in hours,
        )

    def _doomed(self, rows: pa.Table, _: DataFile) -> pa.ChunkedArray:
        return rows_of(rows, self.part.app_id, self.part.received_before)


def at_places(rows: pa.Table, others: pa.Table) -> pa.Array:
    """Which rows are one of the others, by their place in the stream; streams that number alike differ in arrival."""
    likely = pc.fill_null(pc.is_in(rows["stream_seq"], value_set=pc.unique(others["stream_seq"])), False)
    found = np.array(likely.to_numpy(), bool)
    wanted = set(zip(*(others[name].to_pylist() for name in PLACE), strict=True))
    few = rows.filter(likely)
    found[found] = [place in wanted for place in zip(*(few[name].to_pylist() for name in PLACE), strict=True)]
    return pa.array(found)
