"""How far each watcher has looked."""

from datetime import datetime

import psycopg


def last(connection: psycopg.Connection, watcher: str) -> tuple[datetime | None, int]:
    """The instant and the id up to which `watcher` has looked; None and 0 where it never did."""
    row = connection.execute(
        "select watched_until, last_id from rollups.watch_progress where watcher = %s", [watcher]
    ).fetchone()
    return (None, 0) if row is None else (row[0], int(row[1]))


def note(connection: psycopg.Connection, watcher: str, until: datetime, last_id: int = 0) -> None:
    """Note how far `watcher` has looked. The caller commits."""
    connection.execute(
        "insert into rollups.watch_progress (watcher, watched_until, last_id) values (%s, %s, %s)"
        " on conflict (watcher) do update set watched_until = excluded.watched_until, last_id = excluded.last_id",
        [watcher, until, last_id],
    )
