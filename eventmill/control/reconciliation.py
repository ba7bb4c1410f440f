"""Asks the pipeline to compare the rollups with the lake without waiting for the next full hour."""

from datetime import datetime
from typing import Any

import psycopg


def request(connection: psycopg.Connection[Any]) -> None:
    """Ask for a comparison; several requests are one. The caller commits."""
    connection.execute(
        "insert into rollups.reconcile_request (wanted_at) values (clock_timestamp())"
        " on conflict (only_row) do update set wanted_at = excluded.wanted_at"
    )


def wanted_at(connection: psycopg.Connection[Any]) -> datetime | None:
    """When a comparison was asked for that has not been made; None where there is none."""
    row = connection.execute("select wanted_at from rollups.reconcile_request").fetchone()
    return None if row is None else row[0]


def done(connection: psycopg.Connection[Any], requested_at: datetime | None) -> None:
    """Note that the request of `requested_at` was met; a later one stays. The caller commits."""
    connection.execute("delete from rollups.reconcile_request where wanted_at = %s", [requested_at])
