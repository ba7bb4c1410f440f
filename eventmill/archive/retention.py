"""Retention: raw events past their app's horizon go to the archive, and what only supports them has horizons too."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from eventmill.archive import parts
from eventmill.archive.due import Due, cutoffs, due, keep_from
from eventmill.archive.parts import Part
from eventmill.archive.removal import PartRemoval
from eventmill.archive.working import Workplace, alone
from eventmill.archive.writing import forget, left_over, noted, write_part
from eventmill.errors import EventmillError
from eventmill.lake import LogTruncatedError, Snapshot
from eventmill.settings import Settings


@dataclass(slots=True)
class Retained:
    """What a run of retention did. `floors` are those of the apps of which something was archived."""

    archived: list[Part] = field(default_factory=list)
    # Written, and given up because rows of these hours came in meanwhile: the next run takes them.
    given_up: list[Part] = field(default_factory=list)
    floors: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Events that left the lake."""
        return sum(part.rows for part in self.archived)


def plan_retention(settings: Settings, now: datetime | None = None) -> list[Due]:
    """What `retain` would archive."""
    with alone(settings) as place:
        return _due(place, place.events.snapshot(), now or datetime.now(UTC))


def retain(settings: Settings, now: datetime | None = None) -> Retained:
    """Archive what is due; a run that was cut off anywhere is taken up first.

    Per app and date: write a part and read it back; note it and raise the app's floor in one transaction; remove the
    rows in one commit; note that they are gone. Raises ArchiveError where the archive fails: the lake then has
    everything that is not in it.
    """
    done = Retained()
    with alone(settings) as place:
        take_up(place, done)
        snapshot = place.events.snapshot()
        for wanted in _due(place, snapshot, now or datetime.now(UTC)):
            part = write_part(place.archive, place.events, snapshot, wanted, place.scratch)
            if _note(place, part):
                noted(place.scratch, part)
                _remove(place, part, done)
            else:
                _discard(place, part, done)
    return done


def take_up(place: Workplace, done: Retained) -> None:
    """Finish what a run that was cut off has begun."""
    known = {part.part_id for part in parts.list_parts(place.connection)}
    for part_id, path in left_over(place.scratch):
        forget(place.archive, place.scratch, part_id, "" if part_id in known else path)
    for part in parts.list_parts(place.connection, states=["written"]):
        _finish(place, part, done)


def _due(place: Workplace, snapshot: Snapshot, now: datetime) -> list[Due]:
    before = cutoffs(place.connection, now)
    held = {
        (app_id, day)
        for app_id, day in place.connection.execute(
            "select app_id, event_date from control.archive_part where state = 'restored' and restored_until > %s",
            [now],
        )
    }
    try:
        needed = keep_from(place.connection, place.events, snapshot.version)
    except LogTruncatedError as error:
        raise EventmillError(
            f"{error.message} What it touched may still have to be computed.",
            "The sensor `lake_commits` compares the whole lake then; run retention again afterwards.",
        ) from error
    return [one for one in due(place.events, snapshot, before, needed) if (one.app_id, one.event_date) not in held]


def _note(place: Workplace, part: Part) -> bool:
    """Note the part and raise the floor; False where one of its events is needed again by now.

    The app's row is locked, so no refresh that read the lake is between its reading and its writing.
    """
    with place.connection.transaction():
        row = place.connection.execute(
            "select app_id from control.app where app_id = %s and deleted_at is null for update", [part.app_id]
        ).fetchone()
        needed = keep_from(place.connection, place.events, place.events.version())
        if row is None or part.last_event_at >= needed.get(part.app_id, datetime.max.replace(tzinfo=UTC)):
            return False
        parts.add(place.connection, part)
        parts.move_floor(place.connection, part.app_id)
    return True


def _finish(place: Workplace, part: Part, done: Retained) -> None:
    """Take up a part whose rows may or may not have left the lake."""
    if PartRemoval(place.events, part).is_done(place.archive):
        _settle(place, part, done)
    else:
        _remove(place, part, done)


def _remove(place: Workplace, part: Part, done: Retained) -> None:
    if PartRemoval(place.events, part).run():
        _settle(place, part, done)
    else:
        _discard(place, part, done)


def _settle(place: Workplace, part: Part, done: Retained) -> None:
    with place.connection.transaction():
        parts.set_state(place.connection, part.part_id, "archived")
        done.floors[part.app_id] = parts.move_floor(place.connection, part.app_id)
    done.archived.append(replace(part, state="archived"))
    for older in _superseded(place, part):
        with place.connection.transaction():
            parts.replace(place.connection, older, None)
        _delete_files(place, older)


def _superseded(place: Workplace, part: Part) -> Sequence[Part]:
    """Parts that had been restored, and whose hours the new part holds again."""
    of_date = (part.app_id, part.event_date, part.event_date)
    restored = parts.list_parts(place.connection, *of_date, states=["restored"])
    return [older for older in restored if set(older.hours) <= set(part.hours)]


def _discard(place: Workplace, part: Part, done: Retained) -> None:
    """Forget a part whose rows all are in the lake."""
    with place.connection.transaction():
        parts.replace(place.connection, part, None)
        parts.move_floor(place.connection, part.app_id)
    _delete_files(place, part)
    noted(place.scratch, part)
    done.given_up.append(part)


def _delete_files(place: Workplace, part: Part) -> None:
    place.archive.delete(part.manifest_path)
    place.archive.delete(part.path)


def described(part: Part) -> dict[str, Any]:
    """A part as commands print it."""
    return {
        "part_id": str(part.part_id),
        "app_id": part.app_id,
        "event_date": part.event_date.isoformat(),
        "hours": list(part.hours),
        "rows": part.rows,
        "bytes": part.bytes,
        "state": part.state,
        "first_event_at": part.first_event_at.isoformat(),
        "last_event_at": part.last_event_at.isoformat(),
        "last_received_at": part.last_received_at.isoformat(),
        "restored_until": part.restored_until.isoformat() if part.restored_until else None,
        "path": part.path,
        "sha256": part.sha256,
    }
