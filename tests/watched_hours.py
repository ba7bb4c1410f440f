"""Hours and days of the app `shop` (UTC) made by hand in Postgres, and what came of watching them."""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from tests.lake_of import NOW

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
# NOW is 14:20; the last complete hour is that of 13.
RUNNING = NOW.replace(minute=0)
LAST = RUNNING - HOUR


def put(connection: psycopg.Connection, start: datetime, events: int, *, grain: str = "hour", **columns: Any) -> None:
    """A period of the app shop (UTC): as many events, views, visitors and sessions, of people alone."""
    row = {"app_id": "shop", "grain": grain, "period_start": start, "local_date": start.date(), "dimension": "total"}
    row |= {"local_hour": start.hour if grain == "hour" else None, "utc_offset_minutes": 0, "value_kind": "total"}
    row |= dict.fromkeys(("events", "page_views", "users", "visitors", "sessions"), events) | {"computed_at": NOW}
    row |= columns
    names = ", ".join(row)
    for traffic in ("all", "human"):
        connection.execute(
            f"insert into rollups.metric ({names}, traffic) values ({', '.join(['%s'] * (len(row) + 1))})"
            " on conflict (app_id, grain, period_start, traffic, dimension, value_kind, value)"
            " do update set events = excluded.events",
            [*row.values(), traffic],
        )


def dirty(connection: psycopg.Connection, start: datetime, since: datetime, grain: str = "hour") -> None:
    connection.execute(
        "insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version,"
        " dirty_since) values ('metric', 'shop', %s, %s, %s, %s, 1, %s)",
        [grain, start, start + HOUR, start.date(), since],
    )


def complete_through(connection: psycopg.Connection, instant: datetime) -> None:
    connection.execute(
        "insert into rollups.lake_progress (lake_version, complete_through) values (1, %s)"
        " on conflict (only_row) do update set complete_through = excluded.complete_through",
        [instant],
    )


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    """Kind and whether it is open, oldest first."""
    return connection.execute(
        "select kind, resolved_at is null from control.incident where app_id = 'shop' and (kind <> 'anomaly'"
        " or subject = 'events') order by incident_id"
    ).fetchall()
