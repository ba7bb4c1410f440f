"""Writes a part of the archive and reads it back: nothing leaves the lake before that."""

import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill import row_removal
from eventmill.archive.due import Due, rows_of
from eventmill.archive.parts import Part, manifest_path
from eventmill.archive.store import ArchiveError, ArchiveStore, file_sha256
from eventmill.lake import EVENTS, LakeTable, Snapshot

_BATCH_ROWS = 100_000
_INTENT = ".writing"


@dataclass(slots=True)
class Contents:
    """What rows a part holds: per home hour, and when the first and last happened and arrived."""

    hours: Counter[int] = field(default_factory=Counter)
    event_at: list[datetime] = field(default_factory=list)
    received_at: list[datetime] = field(default_factory=list)

    def add(self, rows: pa.Table) -> None:
        """Take rows of `EVENTS.columns` into account."""
        for value in pc.value_counts(rows["event_hour"]).to_pylist():
            self.hours[value["values"]] += value["counts"]
        for seen, name in ((self.event_at, "event_time"), (self.received_at, "received_at")):
            bounds = pc.min_max(rows[name]).as_py()
            seen[:] = [min([*seen, bounds["min"]]), max([*seen, bounds["max"]])]

    @property
    def rows(self) -> int:
        """Rows of all hours."""
        return self.hours.total()


def write_part(store: ArchiveStore, table: LakeTable, snapshot: Snapshot, wanted: Due, scratch: Path) -> Part:
    """Copy what is due to the archive, with a manifest, and verify both by reading them back.

    `scratch` is a directory for the file while it is made. Raises ArchiveError, or OSError for a file of the lake that
    is not as it was written.
    """
    return store_rows(store, _rows(table, snapshot, wanted), (wanted.app_id, wanted.event_date), wanted, scratch)


def store_rows(
    store: ArchiveStore, batches: Iterator[pa.Table], key: tuple[str, date], wanted: Due | Part, scratch: Path
) -> Part:
    """Store rows of `EVENTS.columns` as a part of the app and date in `key`, verified."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    part_id = uuid.uuid4()
    path = f"{EVENTS.name}/app_id={key[0]}/event_date={key[1]}/{part_id}.parquet"
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        file = Path(directory, "part.parquet")
        contents = _write(file, batches)
        part = _describe(file, path, part_id, key, contents, wanted.received_before)
        _intent(scratch, part_id).write_text(path, encoding="utf-8")
        store.put(path, file)
        manifest = Path(directory, "manifest.json")
        manifest.write_text(part.manifest(), encoding="utf-8")
        store.put(part.manifest_path, manifest)
    verify(store, part)
    return part


def noted(scratch: Path, part: Part) -> None:
    """The part is in the warehouse, or is not wanted: nobody need look for its file."""
    _intent(scratch, part.part_id).unlink(missing_ok=True)


def left_over(scratch: Path) -> Iterator[tuple[uuid.UUID, str]]:
    """Parts that were begun and never noted, as a crash leaves them: id, and path in the archive."""
    for file in scratch.glob(f"*{_INTENT}"):
        yield uuid.UUID(file.name.removesuffix(_INTENT)), file.read_text(encoding="utf-8")


def forget(store: ArchiveStore, scratch: Path, part_id: uuid.UUID, path: str) -> None:
    """Delete the file of such a part."""
    if path:
        store.delete(manifest_path(path))
        store.delete(path)
    _intent(scratch, part_id).unlink()


def _intent(scratch: Path, part_id: uuid.UUID) -> Path:
    return scratch / f"{part_id}{_INTENT}"


def _write(file: Path, batches: Iterator[pa.Table]) -> Contents:
    contents = Contents()
    options = {"compression": "zstd", "write_page_checksum": True, "store_schema": False}
    with pq.ParquetWriter(file, EVENTS.columns, **options) as writer:
        for rows in batches:
            contents.add(rows)
            writer.write_table(rows, row_group_size=_BATCH_ROWS)
    return contents


def _describe(
    file: Path, path: str, part_id: uuid.UUID, key: tuple[str, date], contents: Contents, received_before: datetime
) -> Part:
    # Of a part that lost all its events to an erasure only its name is left.
    nothing = [received_before] * 2
    first_event, last_event = (instant.astimezone(UTC) for instant in contents.event_at or nothing)
    first_received, last_received = (instant.astimezone(UTC) for instant in contents.received_at or nothing)
    return Part(
        part_id=part_id,
        app_id=key[0],
        event_date=key[1],
        path=path,
        sha256=file_sha256(file),
        bytes=file.stat().st_size,
        rows=contents.rows,
        hours=dict(sorted(contents.hours.items())),
        first_event_at=first_event,
        last_event_at=last_event,
        first_received_at=first_received,
        last_received_at=last_received,
        received_before=received_before,
    )


def _rows(table: LakeTable, snapshot: Snapshot, wanted: Due) -> Iterator[pa.Table]:
    """Rows of `EVENTS.columns`, a file of the lake at a time, hour by hour."""
    for hour in sorted(wanted.hours):
        for file in row_removal.active_files(table, snapshot, partial(is_of, wanted.event_date, hour)):
            rows = row_removal.read(table, file)
            chosen = rows.filter(rows_of(rows, wanted.app_id, wanted.received_before))
            if chosen.num_rows:
                yield with_home(chosen, wanted.event_date, hour)


def is_of(day: date, hour: int, row: Mapping[str, object]) -> bool:
    """Whether a file (row of `Snapshot.files`) belongs to a home hour."""
    return row["partition.event_date"] == day and row["partition.event_hour"] == hour


def with_home(rows: pa.Table, day: date, hour: int) -> pa.Table:
    """Rows of a lake file with the columns that its path holds, in the order of `EVENTS.columns`."""
    for name, value in (("event_date", day), ("event_hour", hour)):
        column = EVENTS.columns.field(name)
        rows = rows.append_column(column, pa.repeat(pa.scalar(value, column.type), rows.num_rows))
    return rows.select(EVENTS.columns.names).cast(EVENTS.columns)


def read_part(store: ArchiveStore, part: Part) -> Iterator[pa.Table]:
    """Rows of `EVENTS.columns`, a row group at a time. Raises ArchiveError where the file is not what was written."""
    with store.open(part.path) as source:
        try:
            file = pq.ParquetFile(source, page_checksum_verification=True)
            for number in range(file.num_row_groups):
                yield file.read_row_group(number).cast(EVENTS.columns)
        except (OSError, pa.ArrowException) as error:
            raise ArchiveError(f"{part.path} in the archive is damaged: {error}") from error


def verify(store: ArchiveStore, part: Part) -> None:
    """Read a part back. Raises ArchiveError where a byte or a row is not what its manifest says."""
    if store.sha256(part.path) != part.sha256:
        raise ArchiveError(f"{part.path} in the archive is not what was written: its SHA-256 differs.")
    contents = Contents()
    for rows in read_part(store, part):
        contents.add(rows)
    if dict(contents.hours) != dict(part.hours):
        raise ArchiveError(f"{part.path} in the archive has other rows than its manifest says.")
