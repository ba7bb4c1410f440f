"""Backfills that people asked for, so that an interrupted one goes on; and whether a range can be backfilled at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from eventmill.control import history
from eventmill.control.apps import get_app
from eventmill.errors import EventmillError


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of local dates `[first, last]`; `apps` is empty for all of them. `is_resumed`: it had begun before."""

    backfill_id: int
    apps: Sequence[str]
    first: date
    last: date
    started_at: datetime
    is_resumed: bool


def begin(connection: psycopg.Connection[Any], apps: Sequence[str], first: date, last: date) -> Backfill:
    """Note a backfill, or find the one of this range that was interrupted. The caller commits."""
    key = [",".join(sorted(apps)), first, last]
    row = connection.execute(
        "select backfill_id, started_at from control.backfill"
        " where apps = %s and first_date = %s and last_date = %s and finished_at is null",
        key,
    ).fetchone()
    is_resumed = row is not None
    if row is None:
        row = connection.execute(
            "insert into control.backfill (apps, first_date, last_date) values (%s, %s, %s)"
            " returning backfill_id, started_at",
            key,
        ).fetchone()
    if row is None:
        raise AssertionError("an insert returns its row")
    return Backfill(row[0], sorted(apps), first, last, row[1], is_resumed)


def finish(connection: psycopg.Connection[Any], backfill: Backfill) -> None:
    """Note that all of it was computed. The caller commits."""
    connection.execute(
        "update control.backfill set finished_at = clock_timestamp() where backfill_id = %s", [backfill.backfill_id]
    )


def check_range(connection: psycopg.Connection[Any], apps: Sequence[str], first: date, last: date) -> None:
    """Raises EventmillError naming the range and the setting where a part of it cannot be computed."""
    if last < first:
        raise EventmillError(f"--to {last} lies before --from {first}.")
    start = history.recorded_start(connection)
    if start is None:
        raise EventmillError("No services were started on this home yet.", "Start them with `make up`.")
    if first < start:
        raise EventmillError(
            f"--from {first} lies before EVENTMILL_HISTORY_START={start}: no partitions begin before it.",
            f"Restart the services with EVENTMILL_HISTORY_START={first}, or begin at {start}.",
        )
    if first > datetime.now(UTC).date():
        raise EventmillError(f"--from {first} lies in the future.")
    for app_id in apps:
        get_app(connection, app_id)
    floors = connection.execute(
        "select app_id, time_zone, lake_floor from control.app where lake_floor is not null and deleted_at is null"
        " and (%s::text[] = '{}' or app_id = any(%s)) order by app_id",
        [list(apps), list(apps)],
    ).fetchall()
    for app_id, zone, floor in floors:
        if datetime.combine(first, time(), tzinfo=ZoneInfo(zone)) < floor:
            local = floor.astimezone(ZoneInfo(zone))
            raise EventmillError(
                f"Raw events of {app_id} before {local.isoformat()} have left the lake,"
                f" so {first} cannot be computed again (its lake floor; see retention_days).",
                "Begin later, leave the app out with --app, or bring them back with `eventmill archive restore`.",
            )
