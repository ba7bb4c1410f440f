"""Brings archived events back into the lake: each exactly once, however often it is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from eventmill import row_removal
from eventmill.archive import parts
from eventmill.archive.parts import Part
from eventmill.archive.removal import PLACE, PartRemoval, at_places
from eventmill.archive.working import Workplace, alone
from eventmill.archive.writing import is_of, read_part, verify
from eventmill.control.apps import get_app
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, DataFile
from eventmill.erasure.accounts import forgotten
from eventmill.errors import EventmillError
from eventmill.lake import EVENTS, encode_note
from eventmill.settings import Settings

KEEP_RESTORED = timedelta(days=7)


@dataclass(slots=True)
class Restored:
    """What came back. `floor` is the app's new one: later events that are still archived keep it where it is."""

    parts: list[Part] = field(default_factory=list)
    rows: int = 0
    floor: datetime | None = None


def restore(
    settings: Settings,
    app_id: str,
    first: date,
    last: date,
    keep: timedelta = KEEP_RESTORED,
    now: datetime | None = None,
) -> Restored:
    """Bring the app's archived events of the home dates `[first, last]` back; retention leaves them there for `keep`.

    Raises EventmillError for an unknown app, ArchiveError for a part that is not what was written.
    """
    if last < first:
        raise EventmillError("--to: must not be before --from.")
    with alone(settings) as place:
        get_app(place.connection, app_id)
        done = Restored()
        until = (now or datetime.now(UTC)) + keep
        for part in parts.list_parts(place.connection, app_id, first, last, ["written", "archived"]):
            done.rows += _bring_back(place, part)
            done.parts.append(part)
            # The rows are there: now the floor may go down.
            with place.connection.transaction():
                parts.set_state(place.connection, part.part_id, "restored", until)
                parts.move_floor(place.connection, app_id)
        row = place.connection.execute("select lake_floor from control.app where app_id = %s", [app_id]).fetchone()
        done.floor = None if row is None else row[0]
    return done


def _bring_back(place: Workplace, part: Part) -> int:
    """Append the part's rows that the lake lacks, all in one commit; returns how many."""
    verify(place.archive, part)
    if not PartRemoval(place.events, part).is_done(place.archive):
        return 0
    added: list[DataFile] = []
    count = 0
    for rows in read_part(place.archive, part):
        for hour in pc.unique(rows["event_hour"]).to_pylist():
            missing = _missing(place, rows.filter(pc.equal(rows["event_hour"], hour)), part.event_date, hour)
            count += missing.num_rows
            added += _write(place, missing, part.event_date, hour)
    commit = Commit(
        adds=added,
        metadata={"operation": "RESTORE", "restored_part": str(part.part_id)} | _erased(part),
        # Rows come back to where they were: the window of recent ids must not take them for new ones.
        is_data_change=False,
    )
    _append(place, commit)
    return count


def _erased(part: Part) -> dict[str, object]:
    """What the accounts must forget with the next computation: events that were erased while they were archived."""
    if not part.erased:
        return {}
    return encode_note([], None) | {"accounting": [forgotten(part.app_id, *entry) for entry in part.erased.items()]}


def _missing(place: Workplace, rows: pa.Table, day: date, hour: int) -> pa.Table:
    files = row_removal.active_files(
        place.events, place.events.snapshot(), lambda row: is_of(day, hour, row) and _meets(row, rows)
    )
    for file in files:
        rows = rows.filter(pc.invert(at_places(rows, row_removal.read(place.events, file, PLACE))))
    return rows


def _meets(row: dict[str, int], rows: pa.Table) -> bool:
    bounds = pc.min_max(rows["stream_seq"]).as_py()
    return bool(row["min.stream_seq"] <= bounds["max"] and row["max.stream_seq"] >= bounds["min"])


def _write(place: Workplace, rows: pa.Table, day: date, hour: int) -> Iterator[DataFile]:
    """Files as the writer makes them: events that left their home hour have files of their own."""
    values = {"event_date": day.isoformat(), "event_hour": str(hour)}
    for prefix, chosen in (("part", pc.invert(rows["shifted"])), ("shifted", rows["shifted"])):
        some = rows.filter(chosen).select(EVENTS.file_columns.names)
        if some.num_rows:
            yield write_data_file(place.events.directory, some, values, EVENTS.statistics, prefix)


def _append(place: Workplace, commit: Commit) -> None:
    while True:
        try:
            place.events.append(commit, place.events.version())
        except CommitConflictError:
            continue
        return


def archived(settings: Settings, app_id: str | None, first: date | None, last: date | None) -> Sequence[Part]:
    """Parts of an app (or all) with home dates in `[first, last]`, whether the lake has their rows or not."""
    with alone(settings) as place:
        if app_id is not None:
            get_app(place.connection, app_id)
        return parts.list_parts(place.connection, app_id, first, last)
