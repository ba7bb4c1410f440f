"""`control.archive_part`: what is in the archive, and the floor of an app that follows from it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

State = Literal["written", "archived", "restored"]


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of the archive: events of an app, of home hours of one date.

    `hours` maps a home hour to its rows. All rows of the app and these hours that arrived before `received_before` are
    in it.
    """

    part_id: uuid.UUID
    app_id: str
    event_date: date
    path: str
    sha256: str
    bytes: int
    rows: int
    hours: Mapping[int, int]
    first_event_at: datetime
    last_event_at: datetime
    first_received_at: datetime
    last_received_at: datetime
    received_before: datetime
    state: State = "written"
    restored_until: datetime | None = None
    # UTC hour of arrival (ISO 8601) → events that were erased from the file.
    erased: Mapping[str, int] = field(default_factory=dict)

    @property
    def manifest_path(self) -> str:
        """Where the file's manifest lies."""
        return manifest_path(self.path)

    def manifest(self) -> str:
        """The part as JSON, to lie beside the file: the archive explains itself without the warehouse."""
        told = {name: value for name, value in asdict(self).items() if name not in {"state", "restored_until"}}
        return json.dumps(told | {"format": "eventmill-archive/1"}, default=str, indent=2) + "\n"


def manifest_path(path: str) -> str:
    """Where the manifest of a file of the archive lies."""
    return f"{path}.json"


_NAMES = [one.name for one in fields(Part)]
_COLUMNS = ", ".join(_NAMES)


def _part(row: Sequence[Any]) -> Part:
    part = dict(zip(_NAMES, row, strict=True))
    return Part(**part | {"hours": {int(hour): int(rows) for hour, rows in part["hours"].items()}})


def list_parts(
    connection: psycopg.Connection[Any],
    app_id: str | None = None,
    first: date | None = None,
    last: date | None = None,
    states: Sequence[State] = ("written", "archived", "restored"),
) -> list[Part]:
    """Parts of an app (or all) with home dates in `[first, last]`, oldest first."""
    rows = connection.execute(
        f"select {_COLUMNS} from control.archive_part"  # noqa: S608 - names of our own fields
        " where (%(app)s::text is null or app_id = %(app)s) and state = any(%(states)s)"
        " and event_date between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')"
        " order by event_date, app_id, written_at",
        {"app": app_id, "first": first, "last": last, "states": list(states)},
    ).fetchall()
    return [_part(row) for row in rows]


def add(connection: psycopg.Connection[Any], part: Part) -> None:
    """Note a part that was written. The caller commits."""
    values = [getattr(part, name) for name in _NAMES]
    values = [Jsonb(dict(value)) if isinstance(value, Mapping) else value for value in values]
    places = ", ".join(["%s"] * len(values))
    connection.execute(f"insert into control.archive_part ({_COLUMNS}) values ({places})", values)  # noqa: S608


def replace(connection: psycopg.Connection[Any], old: Part, new: Part | None) -> None:
    """Put a part in another's place, as after an erasure; without one, the old part goes. The caller commits."""
    connection.execute("delete from control.archive_part where part_id = %s", [old.part_id])
    if new is not None:
        add(connection, new)


def set_state(
    connection: psycopg.Connection[Any], part_id: uuid.UUID, state: State, restored_until: datetime | None = None
) -> None:
    """Note where a part's rows are now. The caller commits."""
    connection.execute(
        "update control.archive_part set state = %(state)s, restored_until = %(until)s,"
        " archived_at = case when %(state)s = 'archived' then now() else archived_at end,"
        # What was erased is told to the accounts when the rows come back.
        " erased = case when %(state)s = 'restored' then '{}' else erased end where part_id = %(part)s",
        {"state": state, "until": restored_until, "part": part_id},
    )


def move_floor(connection: psycopg.Connection[Any], app_id: str) -> datetime | None:
    """Make the app's floor what its parts say, and return it. The caller commits.

    The floor goes up in the transaction that notes a part, before its rows leave the lake, and down in the one that
    notes that they are back: while the lake lacks rows, no refresh writes a period that they belong to.
    """
    row = connection.execute(
        "update control.app set lake_floor = control.floor_of_parts(app_id) where app_id = %s returning lake_floor",
        [app_id],
    ).fetchone()
    floor: datetime | None = None if row is None else row[0]
    return floor
