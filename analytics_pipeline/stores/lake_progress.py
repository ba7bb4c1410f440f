"""How far the lake has been turned into dirty periods."""

from datetime import datetime

import psycopg


def noticed_version(connection: psycopg.Connection) -> int:
    """Version of the lake up to which every commit was turned into dirty periods."""
    row = connection.execute("select lake_version from rollups.lake_progress").fetchone()
    return 0 if row is None else int(row[0])


def note_progress(
    connection: psycopg.Connection, version: int, complete_through: datetime | None, now: datetime
) -> None:
    """Note how far the lake was looked at; `complete_through` never goes back."""
    connection.execute(
        "insert into rollups.lake_progress as old (lake_version, complete_through, updated_at) values (%s, %s, %s)"
        " on conflict (only_row) do update set lake_version = excluded.lake_version,"
        "  complete_through = greatest(old.complete_through, excluded.complete_through),"
        "  updated_at = excluded.updated_at",
        [version, complete_through, now],
    )


def complete_through(connection: psycopg.Connection) -> datetime | None:
    """Instant (UTC) up to which the lake holds every envelope; None where that is not known."""
    row = connection.execute("select complete_through from rollups.lake_progress").fetchone()
    return None if row is None else row[0]
