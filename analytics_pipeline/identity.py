"""Asks for the periods of events that were counted before it was known who their actor is.

Looking for them reads the lake, so it is for a slower lane than the refreshes, which bring the identity map up to date
themselves (`engines.identities`). The kept days of actors say on which dates to look; dates that are not computed, or
are behind the lake, are looked at as well.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import duckdb
import psycopg

from analytics_pipeline.engines import duckdb_sql, files, identities
from analytics_pipeline.lib import calendar, period_tables
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import PeriodTable
from analytics_pipeline.stores import periods as period_store
from eventmill.analysis import relations
from eventmill.analysis.day_tables import use_day_table
from eventmill.lake import ACTOR_DAYS, EVENTS, LakeTable, Snapshot

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TouchedHour = tuple[str, datetime]


def mark_touched(
    connection: psycopg.Connection, duck: duckdb.DuckDBPyConnection, snapshot: Snapshot, now: datetime
) -> int:
    """Make closed periods dirty whose events belong to another actor than when they were counted.

    Looks at the pairs that were found since the last call; returns the number of hours with such events. The counts
    of stitched and ambiguous ids are brought up to date along the way.
    """
    pairs = identities.update(duck, snapshot)
    through, since = identities.cursor(pairs), _marked_through(connection)
    if since == through:
        return 0
    # Somebody else may have brought the map further than `snapshot`: what was stored before those pairs counts too.
    latest = LakeTable(snapshot.directory.parent, EVENTS).snapshot()
    touched = _touched(connection, duck, latest, pairs, since)
    with connection.transaction():
        period_store.alone(connection)
        _distrust(connection, touched, now)
        _note(connection, duck, through, now)
    return len(touched)


def _touched(
    connection: psycopg.Connection, duck: duckdb.DuckDBPyConnection, snapshot: Snapshot, pairs: Snapshot, since: int
) -> list[TouchedHour]:
    relations.prepare(duck)
    relations.use_pairs(duck, files.all_files(pairs))
    duck.execute(f"set variable since = {int(since)}")
    duckdb_sql.run(duck, "changed_ids", folder="identity")
    ((changed,),) = duck.execute("select count(*) from changed_id").fetchall()
    if not changed:
        return []
    clean = _clean_dates(connection)
    use_day_table(duck, LakeTable(snapshot.directory.parent, ACTOR_DAYS))
    seen = {day for (day,) in duck.execute(duckdb_sql.statement("touched_dates", "identity")).fetchall()}
    relations.use_lake(duck, _files_to_search(snapshot, clean - seen, since))
    hours = duck.execute(duckdb_sql.statement("touched_hours", "identity")).fetchall()
    return [(app_id, hour.astimezone(UTC)) for app_id, hour in hours]


def _clean_dates(connection: psycopg.Connection) -> set[date]:
    """Dates of which the kept days of actors have every event of every app."""
    rows = connection.execute(
        "select local_date from rollups.periods where table_name = 'sessions'"
        " group by local_date having bool_and(dirty_since is null and computed_version is not null)"
    )
    return {day for (day,) in rows.fetchall()}


def _files_to_search(snapshot: Snapshot, passed_over: set[date], since: int) -> list[str]:
    """Files with events of other dates than those passed over, in any time zone, or that are newer than `since`."""
    if snapshot.files.num_rows == 0:
        return []
    columns = ["path", "min.event_time", "max.event_time", "max.stream_seq"]
    return snapshot.locate(
        sorted(
            row["path"]
            for row in snapshot.files.select(columns).to_pylist()
            if (row["max.stream_seq"] or 0) > since
            or not _lies_on(row["min.event_time"], row["max.event_time"], passed_over)
        )
    )


def _lies_on(first: datetime | None, last: datetime | None, dates: set[date]) -> bool:
    if first is None or last is None:
        return False
    start, end = first.astimezone(UTC).date() - DAY, last.astimezone(UTC).date() + DAY
    return all(start + number * DAY in dates for number in range((end - start).days + 1))


def _distrust(connection: psycopg.Connection, touched: Sequence[TouchedHour], now: datetime) -> None:
    zones, week_starts = period_store.zones(connection, hold=True), period_store.week_starts(connection)

    def meeting(table: PeriodTable) -> Iterator[Period]:
        for app_id, hour in touched:
            if app_id in zones:
                start, end = table.changed_by(hour, hour + HOUR)
                yield from calendar.meeting(table.grain, app_id, zones[app_id], start, end, week_starts.get(app_id, 1))

    for table in period_tables.PERIOD_TABLES:
        periods = sorted(set(meeting(table)))
        known = period_store.computed_versions(connection, table.table_name, periods)
        # Open periods of this table follow the pairs by themselves.
        stale = [
            period
            for period in periods
            if (period.app_id, period.grain, period.start) in known
            and not (table.table_name == "metric" and table.grain in {"hour", "day"} and period.is_open(now))
        ]
        period_store.distrust(connection, table.table_name, stale, now, cause="identity")


def _marked_through(connection: psycopg.Connection) -> int:
    row = connection.execute("select stream_seq from rollups.identity_progress").fetchone()
    return -1 if row is None else int(row[0])


def _note(connection: psycopg.Connection, duck: duckdb.DuckDBPyConnection, through: int, now: datetime) -> None:
    counts = duck.execute(duckdb_sql.statement("counts", "identity")).fetchall()
    connection.execute("delete from rollups.identity_count")
    connection.cursor().executemany(
        "insert into rollups.identity_count (app_id, stitched, ambiguous, computed_at) values (%s, %s, %s, %s)",
        [(app_id, stitched, ambiguous, now) for app_id, stitched, ambiguous in counts],
    )
    connection.execute(
        "insert into rollups.identity_progress (stream_seq, updated_at) values (%s, %s)"
        " on conflict (only_row) do update set stream_seq = excluded.stream_seq, updated_at = excluded.updated_at",
        [through, now],
    )
