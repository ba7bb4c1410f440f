"""Where history starts for the running services, for commands that are started in another shell."""

from datetime import date
from typing import Any

import psycopg


def record_start(connection: psycopg.Connection[Any], starts_on: date) -> None:
    """Note the services' EVENTMILL_HISTORY_START. The caller commits."""
    connection.execute(
        "insert into control.history (starts_on) values (%s)"
        " on conflict (only_row) do update set starts_on = excluded.starts_on",
        [starts_on],
    )


def recorded_start(connection: psycopg.Connection[Any]) -> date | None:
    """First UTC date that has partitions; None where no services were started yet."""
    row = connection.execute("select starts_on from control.history").fetchone()
    return None if row is None else row[0]
