"""Writes damaged data files again from the stream: exactly the rows that they held.

The stream keeps messages for days, so their rows are decoded once more; what the stream no longer has is lost, and
said to be. Of the rows of a file's stretch of the stream those stay away that had another fate: that lie in other
files, that were rejected (or were not: rules may have changed since), or that the window of recent ids kept out.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError
from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.envelopes.events_table import events_table
from eventmill.lake import EVENTS, LakeTable, encode_note
from ingest_service.writer.columns import SHIFTED_PREFIX, parts, quarantine_table, touched_hours
from ingest_service.writer.compaction import SmallFile, list_files
from ingest_service.writer.head import TableHead
from ingest_service.writer.id_keys import IdKeys
from ingest_service.writer.places import Place, places_in, places_of, recorded_copies, without_places
from ingest_service.writer.recent_ids import copies_within
from ingest_service.writer.torn_log import TornArea
from ingest_service.writer.window import WindowLimits

log = structlog.get_logger(__name__)

# Decodes the stream's messages in `[first, last]` once more; those the stream no longer has are left out.
Replay = Callable[[int, int], Awaitable[Sequence[DecodedEnvelope]]]
_ORDER = [("stream_seq", "ascending"), ("row_no", "ascending")]


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of damaged files: of their `expected` rows, `found` were written again."""

    paths: Sequence[str]
    expected: int
    found: int

    @property
    def outcome(self) -> str:
        """`repaired`; `lost` where rows are missing; `differs` where rules let more rows pass than then."""
        if self.found == self.expected:
            return "repaired"
        return "lost" if self.found < self.expected else "differs"


@dataclass(frozen=True, slots=True)
class _Damage:
    """Damaged files of one partition whose stretches of the stream meet: which held a row, nobody can tell."""

    files: Sequence[SmallFile]
    statistics: Sequence[Mapping[str, Any]]

    @property
    def is_shifted(self) -> bool:
        return _is_shifted(self.files[0].prefix)

    @property
    def first(self) -> int:
        return min(int(row["min.stream_seq"]) for row in self.statistics)

    @property
    def last(self) -> int:
        return max(int(row["max.stream_seq"]) for row in self.statistics)

    @property
    def arrived(self) -> list[str]:
        """The first and the last instant at which its rows did, as text."""
        least = min(row["min.received_at"] for row in self.statistics)
        return [least.isoformat(), max(row["max.received_at"] for row in self.statistics).isoformat()]

    def meets(self, file: SmallFile, row: Mapping[str, Any]) -> bool:
        """Whether a file's rows may lie between this damage's."""
        is_sibling = (file.folder, _is_shifted(file.prefix)) == (self.files[0].folder, self.is_shifted)
        return is_sibling and row["min.stream_seq"] <= self.last and row["max.stream_seq"] >= self.first

    def covered(self, rows: pa.Table) -> pa.Table:
        """The rows that one of the files may have held by its statistics: a recreated stream has the same numbers."""
        kept = [
            pc.and_(
                pc.and_(*_between(rows["stream_seq"], row, "stream_seq")),
                pc.and_(*_between(rows["received_at"], row, "received_at")),
            )
            for row in self.statistics
        ]
        return rows.filter(reduce(pc.or_, kept))


def _is_shifted(prefix: str) -> bool:
    """Whether a file holds shifted events: the others, clustered or not, are of one kind."""
    return prefix == SHIFTED_PREFIX


def _between(column: pa.ChunkedArray, row: Mapping[str, Any], name: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    least, greatest = (pa.scalar(row[f"{end}.{name}"], column.type) for end in ("min", "max"))
    return pc.greater_equal(column, least), pc.less_equal(column, greatest)


async def repair_files(head: TableHead, other: TableHead, paths: Sequence[str], replay: Replay) -> list[Repair]:
    """Write damaged files of `head` again from the stream; the broken ones are kept aside.

    `other` is the writer's other table: what it holds was decided to belong there.
    """
    repairs = []
    for damage in _damages(head.table, paths):
        rows = await _rows_of(head, other, damage, paths, replay)
        repairs.append(_rewrite(head, damage, rows))
    return repairs


def _damages(table: LakeTable, paths: Sequence[str]) -> list[_Damage]:
    """The damaged files in groups, in the stream's order."""
    snapshot = table.snapshot()
    statistics = {row["path"]: row for row in snapshot.files.to_pylist()}
    damaged = [file for file in list_files(snapshot, table.definition.partition_columns) if file.path in paths]
    damages: list[_Damage] = []
    for file in sorted(damaged, key=lambda file: int(statistics[file.path]["min.stream_seq"])):
        row = statistics[file.path]
        near = next((damage for damage in damages if damage.meets(file, row)), None)
        if near is None:
            damages.append(_Damage([file], [row]))
        else:
            damages[damages.index(near)] = _Damage([*near.files, file], [*near.statistics, row])
    return damages


async def _rows_of(
    head: TableHead, other: TableHead, damage: _Damage, paths: Sequence[str], replay: Replay
) -> pa.Table:
    """The rows that the damaged files held, as far as the stream still has them."""
    table, definition = head.table, head.table.definition
    envelopes = await replay(damage.first, damage.last)
    rows = (events_table if definition is EVENTS else quarantine_table)(envelopes)
    rows = without_places(damage.covered(rows), _decided_in(other.table, damage))
    # Read anew for each damage: a repair before this one has written a file.
    snapshot = table.snapshot()
    intact = snapshot.files.filter(pc.invert(pc.is_in(snapshot.files["path"], pa.array(paths, pa.string()))))
    if definition is EVENTS:
        rows = _without_copies(head, rows, damage, intact)
    listed = zip(
        list_files(replace(snapshot, files=intact), definition.partition_columns), intact.to_pylist(), strict=True
    )
    siblings = [file.path for file, row in listed if damage.meets(file, row)]
    for part in parts(rows, definition):
        if (part.partition_values, _is_shifted(part.prefix)) == (
            dict(damage.files[0].partition_values),
            damage.is_shifted,
        ):
            return without_places(part.rows, places_in(table, siblings, damage.first, damage.last))
    return definition.file_columns.empty_table()


def _decided_in(table: LakeTable, damage: _Damage) -> set[Place]:
    """Places of the damage's stretch that the other table holds, as far as it can be read."""
    files = table.snapshot().files
    if not files.num_rows:
        return set()
    meets = pc.and_(
        pc.less_equal(files["min.stream_seq"], damage.last), pc.greater_equal(files["max.stream_seq"], damage.first)
    )
    places: set[Place] = set()
    for path in files.filter(meets)["path"].to_pylist():
        try:
            places |= places_in(table, [path], damage.first, damage.last)
        except (OSError, pa.ArrowException) as error:
            log.warning("a file of the other table is damaged too", file=path, reason=str(error))
    return places


def _without_copies(head: TableHead, rows: pa.Table, damage: _Damage, intact: pa.Table) -> pa.Table:
    """The rows that the window of recent ids had let pass."""
    copies = recorded_copies(head.table, head.version, damage.first)
    if copies is None:
        copies = _recognised_copies(head.table, rows, _arrived_near(intact, damage))
    return without_places(rows, copies)


def _arrived_near(files: pa.Table, damage: _Damage) -> list[str]:
    """Files that may hold copies of the damaged events: those whose statistics come within the window of theirs."""
    window = WindowLimits().length
    least = min(row["min.received_at"] for row in damage.statistics) - window
    greatest = max(row["max.received_at"] for row in damage.statistics) + window
    is_near = pc.and_(pc.greater(files["max.received_at"], least), pc.less(files["min.received_at"], greatest))
    paths: list[str] = files.filter(is_near)["path"].to_pylist()
    return paths


def _recognised_copies(table: LakeTable, rows: pa.Table, near: Sequence[str]) -> set[Place]:
    """Places of the rows that are copies of another one, or of a row in a file nearby: what no note says is found."""
    names = ["app_id", "event_id", "received_at", "stream_seq", "row_no"]
    ids = rows["event_id"].combine_chunks()
    stored = [rows.select(names).slice(0, 0)]
    for path in near:
        found = pq.read_table(table.directory / unquote(path), columns=names, partitioning=None)
        stored.append(found.filter(pc.is_in(found["event_id"], ids)).cast(stored[0].schema))
    elsewhere = pa.concat_tables(stored)
    missing = without_places(rows, set(places_of(elsewhere)))
    ordered = pa.concat_tables([elsewhere, missing.select(names)]).sort_by(_ORDER)
    is_copy = copies_within(IdKeys.of(ordered), WindowLimits().length)
    return set(places_of(ordered.filter(pa.array(is_copy))))


def _rewrite(head: TableHead, damage: _Damage, rows: pa.Table) -> Repair:
    """Replace the damaged files by one."""
    table, file = head.table, damage.files[0]
    expected = sum(file.rows for file in damage.files)
    repair = Repair([file.path for file in damage.files], expected, rows.num_rows)
    added = []
    if rows.num_rows:
        statistics = table.definition.statistics
        added.append(write_data_file(table.directory, rows, file.partition_values, statistics, file.prefix))
    touched = touched_hours(rows) if table.definition is EVENTS else []
    note: dict[str, Any] = encode_note(touched, None)
    note |= {"repaired": repair.paths, "lost": max(0, repair.expected - repair.found), "arrived": damage.arrived}
    commit = Commit(added, [file.as_data_file for file in damage.files], metadata=note)
    while True:
        head.advance()
        try:
            table.append(commit, head.version)
            break
        except CommitConflictError:
            continue
    head.advance()
    _keep_aside(table, repair)
    return repair


def _keep_aside(table: LakeTable, repair: Repair) -> None:
    torn = TornArea(table)
    for path in repair.paths:
        broken = table.directory / unquote(path)
        if broken.exists():
            torn.move(broken, "not what was written")
    torn.report(
        {
            "table": table.definition.name,
            "files": repair.paths,
            "outcome": repair.outcome,
            "expected_rows": repair.expected,
            "rows_from_the_stream": repair.found,
        }
    )
