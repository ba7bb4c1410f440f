"""Finds damaged data files among the latest ones, and writes them again from the stream.

Damage can only come from disks that lie or decay: every data file was durable before its commit. The stream keeps
messages for days, so their rows are decoded once more; what the stream no longer has is lost, and said to be.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill import delta_log
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError
from eventmill.lake import EVENTS, LakeTable, encode_note
from ingest_service.writer.columns import events_table, parts, quarantine_table, touched_hours
from ingest_service.writer.compaction import SmallFile, list_files
from ingest_service.writer.decoding import DecodedEnvelope
from ingest_service.writer.head import TableHead
from ingest_service.writer.recent_ids import IdKeys, copies_within
from ingest_service.writer.torn_log import TornArea
from ingest_service.writer.window import WindowLimits

# A power cut can only have reached the latest commits; old files are read whenever they are used.
TAIL_COMMITS = 100
TAIL_FILES = 500

# Decodes the stream's messages in `[first, last]` once more; those the stream no longer has are left out.
Replay = Callable[[int, int], Awaitable[Sequence[DecodedEnvelope]]]


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a damaged file: of its `expected` rows, `found` were written again."""

    path: str
    expected: int
    found: int

    @property
    def outcome(self) -> str:
        """`repaired`, or `lost` where rows are missing."""
        return "repaired" if self.found == self.expected else "lost"


def damaged_files(head: TableHead) -> list[str]:
    """Paths, as the log spells them, of the active files of the latest commits that cannot be read whole."""
    return [path for path, size in _latest_files(head) if not _is_whole(head.table, path, size)]


def _latest_files(head: TableHead) -> Iterator[tuple[str, int]]:
    removed: set[str] = set()
    found = 0
    for version in range(head.version, max(-1, head.version - TAIL_COMMITS), -1):
        if not delta_log.log_path(head.table.directory, version).exists():
            return
        actions = delta_log.read(head.table.directory, version)
        removed |= {action["remove"]["path"] for action in actions if "remove" in action}
        for action in actions:
            if "add" in action and action["add"]["path"] not in removed:
                yield action["add"]["path"], int(action["add"]["size"])
                found += 1
        if found >= TAIL_FILES:
            return


def _is_whole(table: LakeTable, path: str, size: int) -> bool:
    file = table.directory / unquote(path)
    try:
        if file.stat().st_size != size:
            return False
        pq.read_table(file, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return False
    return True


async def repair_files(head: TableHead, paths: Sequence[str], replay: Replay) -> list[Repair]:
    """Write damaged files again from the stream, one commit each; the broken ones are kept aside."""
    table = head.table
    snapshot = table.snapshot()
    statistics = {row["path"]: row for row in snapshot.files.to_pylist()}
    active = list_files(snapshot, table.definition.partition_columns)
    repairs = []
    for file in active:
        if file.path not in paths:
            continue
        row = statistics[file.path]
        envelopes = await replay(int(row["min.stream_seq"]), int(row["max.stream_seq"]))
        near = _arrived_near(snapshot.files, file.path)
        others = [
            other for other in active if other.path not in paths and (_is_sibling(file, other) or other.path in near)
        ]
        arrived = [row[f"{end}.received_at"].isoformat() for end in ("min", "max")]
        repairs.append(_rewrite(head, file, _rows_of(table, file, envelopes, others), arrived))
    return repairs


def _arrived_near(files: pa.Table, path: str) -> set[str]:
    """Files that may hold copies of the events of one: those whose statistics come within the window of its own."""
    if "max.received_at" not in files.column_names:
        return set()
    (own,) = files.filter(pc.equal(files["path"], path)).to_pylist()
    window = WindowLimits().length
    is_near = pc.and_(
        pc.greater(files["max.received_at"], own["min.received_at"] - window),
        pc.less(files["min.received_at"], own["max.received_at"] + window),
    )
    return set(files.filter(is_near)["path"].to_pylist()) - {path}


def _is_sibling(file: SmallFile, other: SmallFile) -> bool:
    return other.path != file.path and (other.folder, other.prefix) == (file.folder, file.prefix)


def _rows_of(
    table: LakeTable, file: SmallFile, envelopes: Sequence[DecodedEnvelope], others: Sequence[SmallFile]
) -> pa.Table:
    """The envelopes' rows that belong into the file: of its partition and prefix, and in no other file."""
    is_events = table.definition is EVENTS
    rows = (events_table if is_events else quarantine_table)(envelopes)
    if is_events:
        rows = _without_copies(table, rows, others)
    for part in parts(rows, table.definition):
        if (part.partition_values, part.prefix) == (dict(file.partition_values), file.prefix):
            return _without(part.rows, _places(table, [other for other in others if _is_sibling(file, other)]))
    return table.definition.file_columns.empty_table()


def _without_copies(table: LakeTable, rows: pa.Table, others: Sequence[SmallFile]) -> pa.Table:
    """The rows that the window of recent ids had let pass: no copy of another one, or of a row in another file."""
    names = ["app_id", "event_id", "received_at", "stream_seq", "row_no"]
    ids = rows["event_id"].combine_chunks()
    stored = [rows.select(names).slice(0, 0)]
    for file in others:
        found = pq.read_table(table.directory / unquote(file.path), columns=names, partitioning=None)
        stored.append(found.filter(pc.is_in(found["event_id"], ids)).cast(stored[0].schema))
    elsewhere = pa.concat_tables(stored)
    missing = _without(rows, set(_places_of(elsewhere)))
    both = pa.concat_tables([elsewhere, missing.select(names)])
    ordered = both.sort_by([("stream_seq", "ascending"), ("row_no", "ascending")])
    copies = ordered.filter(pa.array(copies_within(IdKeys.of(ordered), WindowLimits().length)))
    return _without(missing, set(_places_of(copies)))


def _places_of(rows: pa.Table) -> Iterator[tuple[int, int]]:
    return zip(rows["stream_seq"].to_pylist(), rows["row_no"].to_pylist(), strict=True)


def _places(table: LakeTable, files: Sequence[SmallFile]) -> set[tuple[int, int]]:
    places: set[tuple[int, int]] = set()
    for file in files:
        rows = pq.read_table(table.directory / unquote(file.path), columns=["stream_seq", "row_no"], partitioning=None)
        places.update(_places_of(rows))
    return places


def _without(rows: pa.Table, places: set[tuple[int, int]]) -> pa.Table:
    keys = zip(rows["stream_seq"].to_pylist(), rows["row_no"].to_pylist(), strict=True)
    return rows.filter(pa.array([key not in places for key in keys], pa.bool_()))


def _rewrite(head: TableHead, file: SmallFile, rows: pa.Table, arrived: Sequence[str]) -> Repair:
    """Replace the file; `arrived` are the first and the last instant at which its rows did, as text."""
    table = head.table
    repair = Repair(file.path, file.rows, rows.num_rows)
    added = []
    if rows.num_rows:
        statistics = table.definition.statistics
        added.append(write_data_file(table.directory, rows, file.partition_values, statistics, file.prefix))
    touched = touched_hours(rows) if table.definition is EVENTS else []
    note: dict[str, Any] = encode_note(touched, None)
    note |= {"repaired": file.path, "lost": file.rows - rows.num_rows, "arrived": arrived}
    commit = Commit(added, [file.as_data_file], metadata=note)
    while True:
        head.advance()
        try:
            table.append(commit, head.version)
            break
        except CommitConflictError:
            continue
    head.advance()
    torn = TornArea(table)
    broken = table.directory / unquote(file.path)
    if broken.exists():
        torn.move(broken, "unreadable data")
    torn.report(
        {
            "table": table.definition.name,
            "file": file.path,
            "outcome": repair.outcome,
            "expected_rows": repair.expected,
            "rows_from_the_stream": repair.found,
        }
    )
    return repair
