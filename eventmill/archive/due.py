"""Which events are past their app's retention: home hours whose newest event of the app arrived too long ago."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from eventmill import row_removal
from eventmill.delta_log import DataFile
from eventmill.lake import LakeTable, Snapshot

# Sessions of a day are told from events of up to this long before it, and what is still to be computed needs them all.
LOOK_BACK = timedelta(hours=73)
_HOUR = timedelta(hours=1)
_COLUMNS = ("app_id", "received_at")


@dataclass(frozen=True, slots=True)
class Due:
    """Home hours (0 to 23 → rows) of one date of one app, all of whose events arrived before `received_before`."""

    app_id: str
    event_date: date
    hours: Mapping[int, int]
    received_before: datetime

    @property
    def rows(self) -> int:
        """Events in all of the hours."""
        return sum(self.hours.values())


def cutoffs(connection: psycopg.Connection[Any], now: datetime) -> dict[str, datetime]:
    """Instant before which an app's events are past their retention; apps that keep theirs for ever are missing."""
    rows = connection.execute(
        "select app_id, retention_days from control.app where deleted_at is null and retention_days > 0"
    ).fetchall()
    return {app_id: now - timedelta(days=days) for app_id, days in rows}


def keep_from(connection: psycopg.Connection[Any], table: LakeTable, version: int) -> dict[str, datetime]:
    """Instant from which an app's events are needed by hours and days that wait to be computed.

    Those are the dirty ones, and what commits up to `version` touched that nobody has noticed yet. Weeks and months
    are computed from days. Raises LogTruncatedError where a commit cannot be read any more.
    """
    needed: dict[str, datetime] = dict(
        connection.execute(
            "select app_id, min(period_start) from rollups.periods join control.app using (app_id)"
            " where dirty_since is not null and grain in ('hour', 'day')"
            " and period_start >= coalesce(lake_floor, '-infinity') group by 1"
        ).fetchall()
    )
    row = connection.execute("select lake_version from rollups.lake_progress").fetchone()
    for note in table.commits(row[0] if row else 0, version):
        for touched in note.touched:
            # The day that the hour belongs to may have begun 26 hours before, in any zone.
            start = touched.hour - timedelta(hours=26)
            needed[touched.app_id] = min(needed.get(touched.app_id, start), start)
    return {app_id: start - LOOK_BACK for app_id, start in needed.items()}


def due(
    table: LakeTable,
    snapshot: Snapshot,
    received_before: Mapping[str, datetime],
    needed_from: Mapping[str, datetime],
) -> list[Due]:
    """What is to be archived, by date and app; reads the ids of apps in old files that several of them share."""
    if not received_before:
        return []
    found: dict[tuple[date, str], dict[int, int]] = defaultdict(dict)
    for (day, hour), rows in _old_partitions(snapshot, max(received_before.values())):
        ends_at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + _HOUR
        for app_id, (newest, count) in _newest(table, rows).items():
            cutoff = received_before.get(app_id)
            is_needed = app_id in needed_from and ends_at > needed_from[app_id]
            if cutoff is not None and newest < cutoff and not is_needed:
                found[day, app_id][hour] = count
    return [Due(app_id, day, hours, received_before[app_id]) for (day, app_id), hours in sorted(found.items())]


def _old_partitions(snapshot: Snapshot, before: datetime) -> Iterator[tuple[tuple[date, int], list[dict[str, Any]]]]:
    """Home hours in which something arrived before that instant, with their files."""
    groups: dict[tuple[date, int], list[dict[str, Any]]] = defaultdict(list)
    for row in snapshot.files.to_pylist():
        groups[row["partition.event_date"], row["partition.event_hour"]].append(row)
    for home, rows in sorted(groups.items()):
        if any(row["min.received_at"] is None or row["min.received_at"] < before for row in rows):
            yield home, rows


def _newest(table: LakeTable, files: Iterable[Mapping[str, Any]]) -> dict[str, tuple[datetime, int]]:
    """Arrival of the newest event, and number of events, of each app in these files."""
    found: dict[str, tuple[datetime, int]] = {}
    for file in files:
        for app_id, newest, count in _newest_of(table, file):
            before = found.get(app_id, (newest, 0))
            found[app_id] = (max(before[0], newest), before[1] + count)
    return found


def _newest_of(table: LakeTable, file: Mapping[str, Any]) -> Sequence[tuple[str, datetime, int]]:
    least, newest, count = file["min.app_id"], file["max.received_at"], file["num_records"]
    if least is not None and least == file["max.app_id"] and newest is not None and count:
        return [(least, newest, count)]
    rows = row_removal.read(table, DataFile(file["path"], 0, {}, 0, ""), _COLUMNS)
    groups: pa.Table = rows.group_by("app_id").aggregate([("received_at", "max"), ("received_at", "count")])
    return [(row["app_id"], row["received_at_max"], row["received_at_count"]) for row in groups.to_pylist()]


def rows_of(rows: pa.Table, app_id: str, received_before: datetime) -> pa.ChunkedArray:
    """Which rows are an app's, and arrived before that instant."""
    instant = pa.scalar(received_before, rows["received_at"].type)
    return pc.and_(pc.equal(rows["app_id"], app_id), pc.less(rows["received_at"], instant))
