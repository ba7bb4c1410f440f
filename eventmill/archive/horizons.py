"""Horizons of what is no raw event: rejected events, and the people and sessions of days whose events are archived."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from eventmill import row_removal
from eventmill.archive.working import alone
from eventmill.delta_log import Commit
from eventmill.lake import ACTOR_DAYS, QUARANTINE, SESSION_DAYS, SESSIONS, LakeTable, lake_directory
from eventmill.settings import Settings

# Weeks and months are computed from days: one that is not over at the floor is still recomputed.
_LONGEST_PERIOD = timedelta(days=32)


def expire(settings: Settings, now: datetime | None = None, *, is_dry_run: bool = False) -> dict[str, int]:
    """Remove what is past its horizon; rows removed per table. Clean-up deletes the files when no reader needs them."""
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    directory = lake_directory(settings)
    removed: dict[str, int] = {}
    with alone(settings) as place:
        if settings.quarantine_retention_days:
            oldest = today - timedelta(days=settings.quarantine_retention_days)
            table = LakeTable(directory, QUARANTINE)
            removed[QUARANTINE.name] = _drop(
                table, lambda row: bool(row["partition.received_date"] < oldest), is_dry_run
            )
        if settings.actor_days_retention_days:
            kept_from = _kept_from(place.connection, today - timedelta(days=settings.actor_days_retention_days))
            for definition in (SESSIONS, ACTOR_DAYS, SESSION_DAYS):
                removed[definition.name] = _drop(
                    LakeTable(directory, definition), lambda row: _is_past(row, kept_from), is_dry_run
                )
    return removed


def _kept_from(connection: psycopg.Connection[Any], oldest: date) -> dict[str, date]:
    """First local date that is kept of each app of which something was archived; of the others everything is."""
    rows = connection.execute("select app_id, lake_floor from control.app where lake_floor is not null").fetchall()
    return {app_id: min(oldest, (floor - _LONGEST_PERIOD).date()) for app_id, floor in rows}


def _is_past(row: Mapping[str, Any], kept_from: Mapping[str, date]) -> bool:
    first = kept_from.get(row["partition.app_id"])
    return first is not None and bool(row["partition.local_date"] < first)


def _drop(table: LakeTable, is_past: Callable[[dict[str, Any]], bool], is_dry_run: bool) -> int:
    """Remove whole files in one commit, and return their rows."""
    if not table.exists():
        return 0
    while True:
        snapshot = table.snapshot()
        rows = sum(int(row["num_records"] or 0) for row in snapshot.files.to_pylist() if is_past(row))
        files = list(row_removal.active_files(table, snapshot, is_past))
        if is_dry_run or not files:
            return rows
        if row_removal.commit_replacement(table, Commit(removes=files, metadata={"operation": "EXPIRE"})):
            return rows
