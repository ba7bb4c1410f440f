"""Brings local days up to the lake: sessions, what actors did, and the session metrics and revenue that follow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import pyarrow as pa

from analytics_pipeline.engines import days as engine
from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.engines.open_state import key_of
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.refresh import Refreshed, Refresher, StalePeriodsError
from analytics_pipeline.stores import contents, day_tables, restatements, rollups, server_joins
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.day_tables import Day
from analytics_pipeline.stores.rollups import RollupTable
from eventmill import warehouse
from eventmill.lake import ACTOR_DAYS, DAY_TABLES, LakeTable, Snapshot, TableDefinition, lake_directory

# In rollups.periods.
TABLE_NAME = "sessions"
# Dates that the same instant can have in two zones are so many days apart.
_ZONES_APART = 2


@dataclass(frozen=True, slots=True)
class Calendars:
    """Time zone of every app, and the oldest instant whose raw events are all in the lake, where that is not all."""

    zones: dict[str, ZoneInfo]
    floors: dict[str, datetime]

    def may_compute(self, day: Period) -> bool:
        """Whether `day` is a day of its app whose sessions the events in the lake tell."""
        zone, floor = self.zones.get(day.app_id), self.floors.get(day.app_id)
        if zone is None or not calendar.is_in(day, zone):
            return False
        return floor is None or day.start - calendar.SESSIONS_NEED >= floor


def calendars(connection: psycopg.Connection, *, hold: bool = False) -> Calendars:
    """Zones and floors of all apps; with `hold` nobody changes one until the transaction ends."""
    zones = period_store.zones(connection, hold=hold)
    rows = connection.execute("select app_id, lake_floor from control.app where lake_floor is not null").fetchall()
    return Calendars(zones, dict(rows))


def refresh_days(refresher: Refresher, days: Sequence[Period]) -> Refreshed:
    """Bring `days` of the lake's day tables, `rollups.session_metric`, `revenue` and `daily_visitor` up to date.

    Days whose events, or those of the days before them, have left the lake keep their numbers. The lake is committed
    first: where Postgres then fails, the days stay dirty and are computed again.
    Raises StalePeriodsError where an app's zone or floor changes meanwhile.
    """
    settings = refresher.settings
    with closing(warehouse.connect(settings)) as connection, refresher.connect() as duck, connection.transaction():
        period_store.lock(connection, TABLE_NAME, days)
        snapshot = refresher.snapshot()
        known = calendars(connection)
        versions = period_store.computed_versions(connection, TABLE_NAME, days)
        due = [day for day in days if known.may_compute(day) and (versions.get(key_of(day)) or 0) <= snapshot.version]
        if not due:
            return Refreshed(snapshot.version)
        due += _left_behind(connection, LakeTable(lake_directory(settings), ACTOR_DAYS), due, known)
        now = refresher.clock()
        engine.compute(duck, snapshot, due, known.zones)
        held = calendars(connection, hold=True)
        if not all(held.may_compute(day) for day in due):
            raise StalePeriodsError(
                "An app's events, its time zone or the app itself went while its days were computed."
            )
        for definition in DAY_TABLES:
            _replace(duck, LakeTable(lake_directory(settings), definition), due, snapshot)
        return _write(connection, refresher, duck, due, snapshot, now)


def _left_behind(
    connection: psycopg.Connection, table: LakeTable, days: Sequence[Period], known: Calendars
) -> list[Period]:
    """Days beside `days` that the lake has rows of and nobody asks for: what an app's former time zone left there."""
    files = table.snapshot().files
    if files.num_rows == 0:
        return []
    kept = set(zip(files["partition.app_id"].to_pylist(), files["partition.local_date"].to_pylist(), strict=True))
    beside = {
        calendar.day(day.app_id, known.zones[day.app_id], day.local_date + timedelta(days=offset))
        for day in days
        for offset in range(-_ZONES_APART, _ZONES_APART + 1)
    }
    suspects = sorted(day for day in beside - set(days) if (day.app_id, day.local_date) in kept)
    asked_for = period_store.computed_versions(connection, TABLE_NAME, suspects)
    return [day for day in suspects if key_of(day) not in asked_for and known.may_compute(day)]


def _replace(duck: duckdb.DuckDBPyConnection, table: LakeTable, days: Sequence[Period], snapshot: Snapshot) -> None:
    numbers = {(day.local_date, day.app_id): number for number, day in enumerate(days)}
    day_tables.replace(table, list(numbers), _rows_of(duck, table.definition, numbers), snapshot.version)


def _rows_of(
    duck: duckdb.DuckDBPyConnection, definition: TableDefinition, numbers: dict[Day, int]
) -> Callable[[Day], Iterator[pa.Table]]:
    return lambda day: engine.lake_rows(duck, definition, numbers[day])


def _write(
    connection: psycopg.Connection,
    refresher: Refresher,
    duck: duckdb.DuckDBPyConnection,
    days: Sequence[Period],
    snapshot: Snapshot,
    now: datetime,
) -> Refreshed:
    zones = period_store.zones(connection)
    whole = [period for day in days for period in engine.periods_of(day, zones)]
    tables: list[tuple[RollupTable, pa.Table]] = [
        (rollups.SESSION_METRIC, engine.session_metric_rows(duck)),
        (rollups.REVENUE, engine.revenue_rows(duck)),
    ]
    with restatements.watch(connection, TABLE_NAME, days, now, refresher.cause) as watched:
        written = [watched.wrote(rollups.write(connection, table, rows, whole, now)) for table, rows in tables]
    # No number of the day, so no restatement: it says how far the day's distinct counts hold.
    rollups.write(connection, rollups.DAILY_VISITOR, engine.daily_visitor_rows(duck), days, now)
    period_store.alone(connection)
    joins = engine.server_joins(duck)
    numbers = {period: joins.get(index, 0) for index, period in enumerate(whole)}
    otherwise = server_joins.counted_otherwise(connection, numbers)
    period_store.distrust(connection, rollups.METRIC.name, otherwise, now)
    filled = set(duck.execute("select distinct period_id from source_event where period_id is not null").fetchall())
    present = [day for number, day in enumerate(days) if (number,) in filled]
    period_store.add_missing(connection, TABLE_NAME, present, snapshot.version)
    definition = duckdb_sql.definition_version(engine.FOLDER)
    period_store.mark_computed(connection, TABLE_NAME, days, snapshot.version, definition, now)
    contents.note(connection, TABLE_NAME, days)
    return Refreshed(
        snapshot.version,
        days,
        sum(part.changed for part in written),
        sum(part.deleted for part in written),
    )
