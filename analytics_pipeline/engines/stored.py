"""Counts what the lake stores, copies included, by the periods that it falls into."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from analytics_pipeline.engines import duckdb_sql, files
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.lake import Snapshot

# Every zone's offset is a multiple of a quarter of an hour, so its hours and days are made of these.
_QUARTER = timedelta(minutes=15)
_QUARTERS = "select app_id, time_bucket(interval '15 minutes', event_time), count(*) from lake {} group by all"
_Quarters = list[tuple[str, datetime, int]]


def stored_counts(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, zones: dict[str, ZoneInfo], since_seq: int | None = None
) -> dict[Period, int]:
    """Events of every hour and day that the lake has any of; with `since_seq` of those with one stored after it."""
    duckdb_sql.prepare(connection)
    relations.use_lake(connection, files.all_files(snapshot))
    if since_seq is None:
        return _by_period(connection.execute(_QUARTERS.format("")).fetchall(), zones)
    relations.use_lake(connection, files.files_after(snapshot, since_seq))
    news = connection.execute(_QUARTERS.format(f"where stream_seq > {int(since_seq)}")).fetchall()
    touched = _by_period(news, zones)
    counts: dict[Period, int] = {}
    # A day of an app holds its hours: each day's files are read once.
    for date in sorted({period.local_date for period in touched}):
        near = [period for period in touched if period.local_date == date]
        start, end = min(period.start for period in near), max(period.end for period in near)
        relations.use_lake(connection, files.files_meeting(snapshot, start, end))
        found = _by_period(connection.execute(_QUARTERS.format("")).fetchall(), zones)
        counts |= {period: found[period] for period in near}
    return counts


def _by_period(quarters: _Quarters, zones: dict[str, ZoneInfo]) -> dict[Period, int]:
    counts: dict[Period, int] = defaultdict(int)
    for app_id, start, events in quarters:
        zone = zones.get(app_id)
        if zone is None:
            continue
        begin = start.astimezone(UTC)
        for meeting in (calendar.hours_meeting, calendar.days_meeting):
            for period in meeting(app_id, zone, begin, begin + _QUARTER):
                counts[period] += events
    return counts
