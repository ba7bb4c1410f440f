"""Which files of a snapshot a computation has to read."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.lake import IDENTITY_MAP, LakeTable, Snapshot

HomeHour = tuple[date, int]
_DATE, _HOUR = "partition.event_date", "partition.event_hour"


def files_meeting(snapshot: Snapshot, start: datetime, end: datetime) -> list[str]:
    """Every file in which a copy of an event of `[start, end)` can lie.

    Files whose `event_time` meets the range, and all files of their home hours: an event and its copies share the
    home hour, although a corrected clock may have moved one of them to another hour.
    """
    files = snapshot.files
    if files.num_rows == 0:
        return []
    return _paths(snapshot, files.join(_homes(files, start, end), [_DATE, _HOUR], join_type="left semi"))


def homes_meeting(snapshot: Snapshot, start: datetime, end: datetime) -> list[datetime]:
    """The home hours that `files_meeting` reads, each of them whole."""
    if snapshot.files.num_rows == 0:
        return []
    rows = _homes(snapshot.files, start, end).to_pylist()
    return [datetime(row[_DATE].year, row[_DATE].month, row[_DATE].day, row[_HOUR], tzinfo=UTC) for row in rows]


def _homes(files: pa.Table, start: datetime, end: datetime) -> pa.Table:
    meets = pc.and_(pc.less(files["min.event_time"], end), pc.greater_equal(files["max.event_time"], start))
    return files.filter(pc.fill_null(meets, True)).select([_DATE, _HOUR]).group_by([_DATE, _HOUR]).aggregate([])


def files_of_home(snapshot: Snapshot, home: HomeHour) -> list[str]:
    """All files of one home hour."""
    files = snapshot.files
    matches = pc.and_(pc.equal(files[_DATE], home[0]), pc.equal(files[_HOUR], home[1]))
    return _paths(snapshot, files.filter(matches))


def files_after(snapshot: Snapshot, stream_seq: int) -> list[str]:
    """All files that hold a row stored after `stream_seq`."""
    after = pc.greater(snapshot.files["max.stream_seq"], stream_seq)
    return _paths(snapshot, snapshot.files.filter(pc.fill_null(after, True)))


def identity_files(snapshot: Snapshot) -> list[str]:
    """Files of the identity map that lies beside the events of `snapshot`, in its latest version."""
    table = LakeTable(snapshot.directory.parent, IDENTITY_MAP)
    if not table.exists():
        return []
    return all_files(table.snapshot())


def all_files(snapshot: Snapshot) -> list[str]:
    """Every file of a snapshot."""
    return _paths(snapshot, snapshot.files) if snapshot.files.num_rows else []


def last_stream_seq(snapshot: Snapshot) -> int | None:
    """Greatest stream sequence in the snapshot; None for an empty lake."""
    greatest: int | None = pc.max(snapshot.files["max.stream_seq"]).as_py() if snapshot.files.num_rows else None
    return greatest


def row_count(snapshot: Snapshot) -> int:
    """Rows in all files, copies included."""
    return int(pc.sum(snapshot.files["num_records"]).as_py() or 0) if snapshot.files.num_rows else 0


def _paths(snapshot: Snapshot, files: pa.Table) -> list[str]:
    return snapshot.locate(sorted(files["path"].to_pylist()))
