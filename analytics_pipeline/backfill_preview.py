"""Computes a range of days into a schema of its own and says what a backfill would change; it changes nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import psycopg
import pyarrow as pa

from analytics_pipeline.engines import days as day_engine
from analytics_pipeline.engines import exact, long
from analytics_pipeline.engines.long import InsteadDays
from analytics_pipeline.lib.backfill_range import meets
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import DAILY, HOURLY, MONTHLY, SESSIONS, WEEKLY, PeriodTable
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import backfills, day_tables, rollups
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.day_tables import Day
from analytics_pipeline.stores.rollups import METRIC, REVENUE, SESSION_METRIC, RollupTable, scope_of
from eventmill import warehouse
from eventmill.contracts.backfills import PREVIEW_SCHEMA
from eventmill.lake import ACTOR_DAYS, SESSION_DAYS, LakeTable, TableDefinition, lake_directory

_DAY = timedelta(days=1)
# Rows of these tables are compared, by the name that their periods have in `rollups.periods`.
_COMPARED = {METRIC.name: (METRIC,), SESSIONS.table_name: (SESSION_METRIC, REVENUE)}
# Weeks and months are counted from these days of the lake.
_DAYS = (ACTOR_DAYS, SESSION_DAYS)


def preview(
    refresher: Refresher, first: date, last: date, apps: Sequence[str], report: Callable[[int, int, date], None]
) -> int:
    """Compare what is closed of the local dates `[first, last]`; how many metrics of how many periods differ.

    Hours, days and their sessions, then the weeks and months that they lie in. The rows are in
    `backfill_preview.difference`, until the next preview or until their reader drops the schema. `report` hears after
    each day how many of how many are done.
    """
    days = (last - first).days + 1
    with closing(warehouse.connect(refresher.settings)) as connection, _shadow(refresher) as lake:
        _begin(connection)
        one = _Preview(refresher, connection, lake, apps)
        for number in range(days):
            day = first + number * _DAY
            one.compute_counts(day)
            one.compute_sessions(day)
            report(number + 1, days, day)
        one.compute_long(first, last)
        connection.execute(_statement("backfill_difference"))
        row = connection.execute("select count(*) from backfill_preview.difference").fetchone()
        connection.commit()
    return int(row[0]) if row else 0


@contextmanager
def _shadow(refresher: Refresher) -> Iterator[Path]:
    """A lake for the days that weeks and months are then counted from."""
    refresher.settings.state_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="backfill_preview_", dir=refresher.settings.state_dir) as directory:
        for definition in _DAYS:
            LakeTable(Path(directory), definition).create()
        yield Path(directory)


def _begin(connection: psycopg.Connection) -> None:
    connection.execute("drop schema if exists backfill_preview cascade")
    connection.execute("create schema backfill_preview")
    for tables in _COMPARED.values():
        for table in tables:
            connection.execute(
                f"create table backfill_preview.{table.name} (like rollups.{table.name} including indexes)"
            )
    connection.execute(
        "create table backfill_preview.period (table_name text, app_id text, grain text, period_start timestamptz,"
        " primary key (table_name, app_id, grain, period_start))"
    )
    connection.commit()


@dataclass(frozen=True, slots=True)
class _Preview:
    refresher: Refresher
    connection: psycopg.Connection
    lake: Path
    apps: Sequence[str]

    def compute_counts(self, day: date) -> None:
        """Hours and the day of one local date of each app."""
        midnight = datetime.combine(day, time(), tzinfo=UTC)
        hours = self.refresher.periods("hour", midnight - timedelta(hours=14), midnight + timedelta(hours=36))
        days = self.refresher.days(midnight, midnight)
        periods = [*self._closed(HOURLY, hours, day, day), *self._closed(DAILY, days, day, day)]
        if not periods:
            return
        with self.refresher.connect() as duck:
            rows = exact.metric_rows(duck, self.refresher.snapshot(), periods).rows
        self._write(METRIC.name, periods, [(METRIC, rows)])

    def compute_sessions(self, day: date) -> None:
        """Sessions and revenue of one local date of each app, and what actors did, which stays in the lake here."""
        midnight = datetime.combine(day, time(), tzinfo=UTC)
        days = self._closed(SESSIONS, self.refresher.days(midnight, midnight), day, day)
        if not days:
            return
        zones = period_store.zones(self.connection)
        snapshot = self.refresher.snapshot()
        numbers = {(one.local_date, one.app_id): number for number, one in enumerate(days)}
        with self.refresher.connect() as duck:
            day_engine.compute(duck, snapshot, days, zones)
            for definition in _DAYS:
                rows_of = partial(_lake_rows, duck, definition, numbers)
                day_tables.replace(LakeTable(self.lake, definition), list(numbers), rows_of, snapshot.version)
            rows = [
                (SESSION_METRIC, day_engine.session_metric_rows(duck)),
                (REVENUE, day_engine.revenue_rows(duck)),
            ]
        periods = [period for one in days for period in day_engine.periods_of(one, zones)]
        self._write(SESSIONS.table_name, periods, rows)

    def compute_long(self, first: date, last: date) -> None:
        """Weeks and months that a date of `[first, last]` lies in, with the days as they were computed here."""
        start = datetime.combine(first - 31 * _DAY, time(), tzinfo=UTC)
        end = datetime.combine(last + _DAY, time(), tzinfo=UTC)
        periods = [
            period
            for table in (WEEKLY, MONTHLY)
            for period in self._closed(table, self.refresher.periods(table.grain, start, end), first, last)
        ]
        if not periods:
            return
        computed = self.connection.execute(
            "select app_id, period_start from backfill_preview.period where table_name = %s and grain = 'day'",
            [SESSIONS.table_name],
        ).fetchall()
        zones = period_store.zones(self.connection)
        days = {(app_id, at.astimezone(zones[app_id]).date()) for app_id, at in computed if app_id in zones}
        instead = InsteadDays(self.lake, frozenset(days))
        with self.refresher.connect() as duck:
            rows = long.metric_rows(duck, lake_directory(self.refresher.settings), periods, zones, instead)
        self._write(METRIC.name, periods, [(METRIC, rows)])

    def _closed(self, table: PeriodTable, periods: Sequence[Period], first: date, last: date) -> list[Period]:
        """Those of the periods that are closed, asked for, and can be computed from what the lake still holds."""
        now = self.refresher.clock()
        asked = [one for one in periods if meets(one, first, last) and (not self.apps or one.app_id in self.apps)]
        closed = [one for one in asked if not table.is_open(one.end, now)]
        return backfills.remaining(self.connection, table, closed, None)

    def _write(self, table_name: str, periods: Sequence[Period], rows: Sequence[tuple[RollupTable, pa.Table]]) -> None:
        for table, found in rows:
            rollups.write(self.connection, table, found, [], self.refresher.clock(), PREVIEW_SCHEMA)
        self.connection.execute(
            "insert into backfill_preview.period select %s, app_id, grain, period_start"
            " from unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"
            " on conflict do nothing",
            [table_name, *scope_of(periods)],
        )
        self.connection.commit()


def _lake_rows(
    duck: duckdb.DuckDBPyConnection, definition: TableDefinition, numbers: dict[Day, int], day: Day
) -> Iterator[pa.Table]:
    return day_engine.lake_rows(duck, definition, numbers[day])


def _statement(name: str) -> str:
    return (files("analytics_pipeline") / "stores" / f"{name}.sql").read_text(encoding="utf-8")
