"""Brings periods of the rollups up to the lake: the one path that sensor, schedules, backfills and people share."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql, exact
from analytics_pipeline.engines import server_joins as server_join_engine
from analytics_pipeline.engines.arrivals import Arrivals
from analytics_pipeline.engines.exact import Computed
from analytics_pipeline.engines.open_state import OpenState, key_of
from analytics_pipeline.engines.server_joins import ServerJoins
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Grain, Period
from analytics_pipeline.lib.period_tables import Cause
from analytics_pipeline.stores import arrivals, contents, restatements, rollups, server_joins
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.rollups import RollupTable
from eventmill import warehouse
from eventmill.errors import EventmillError
from eventmill.lake import EVENTS, LakeTable, Snapshot, lake_directory
from eventmill.settings import Settings

log = logging.getLogger(__name__)
OPEN_STATE_FILE = "open_periods.duckdb"
# Two runs must not write the same key sets; any constant will do.
_OPEN_STATE_LOCK = 0x6F_70_65_6E
# Events up to this far ahead of the clock are accepted, so these periods can hold some already.
_AHEAD = timedelta(hours=1)
_DAY = timedelta(days=1)

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
Engine = Callable[[duckdb.DuckDBPyConnection, Snapshot, Sequence[Period]], Computed]


class StalePeriodsError(EventmillError):
    """An app was deleted or got another time zone while its periods were computed: begin again."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: periods computed, rows changed and deleted in Postgres, the lake version it read."""

    lake_version: int
    periods: Sequence[Period] = field(default_factory=list)
    rows_changed: int = 0
    rows_deleted: int = 0
    new_rows: int = 0


@dataclass(frozen=True, slots=True)
class Refresher:
    """Refreshes rollups. `clock` gives the present instant in UTC; `connect` opens an in-memory DuckDB."""

    settings: Settings
    connect: Connect
    connect_to: Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    # Why closed periods change that nothing had made dirty.
    cause: Cause = "late_events"

    def periods(self, grain: Grain, start: datetime, end: datetime) -> list[Period]:
        """Periods of every app that the partitions in `[start, end)` own: hours by instant, others by local date."""
        with self._warehouse() as connection:
            zones = period_store.zones(connection)
            week_starts = period_store.week_starts(connection)
        if grain == "hour":
            return [hour for app, zone in zones.items() for hour in calendar.hours_starting_in(app, zone, start, end)]
        # A date begins and ends up to 14 hours before and 12 after the UTC date of its name.
        return [
            period
            for app, zone in zones.items()
            for period in calendar.meeting(grain, app, zone, start - _DAY, end + _DAY, week_starts.get(app, 1))
            if start.date() <= period.local_date < end.date()
        ]

    def hours(self, start: datetime, end: datetime) -> list[Period]:
        """Local hours of every app that start in `[start, end)`."""
        return self.periods("hour", start, end)

    def days(self, first: datetime, last: datetime) -> list[Period]:
        """Local days of every app, from the date of `first` to that of `last`, both included."""
        midnight = datetime.combine(first.date(), time(), tzinfo=UTC)
        return self.periods("day", midnight, datetime.combine(last.date() + _DAY, time(), tzinfo=UTC))

    def refresh(self, periods: Sequence[Period]) -> Refreshed:
        """Bring hours or days of `rollups.metric` up to date: open ones from kept key sets, closed ones exactly."""
        now = self.clock()
        closed = [period for period in periods if not period.is_open(now)]
        result = self._exactly(rollups.METRIC, exact.metric_rows, closed) if closed else None
        if len(closed) == len(periods) and result is not None:
            return result
        opened = self.refresh_open()
        if result is None:
            return opened
        return Refreshed(
            opened.lake_version,
            [*result.periods, *opened.periods],
            result.rows_changed + opened.rows_changed,
            result.rows_deleted + opened.rows_deleted,
            opened.new_rows,
        )

    def _exactly(self, table: RollupTable, engine: Engine, periods: Sequence[Period]) -> Refreshed:
        with self._warehouse() as connection, self.connect() as duck, connection.transaction():
            period_store.lock(connection, table.name, periods)
            snapshot = self.snapshot()
            # Somebody who read a newer lake may have been here while this run waited for the lock.
            versions = period_store.computed_versions(connection, table.name, periods)
            due = [period for period in periods if (versions.get(key_of(period)) or 0) <= snapshot.version]
            due = period_store.above_floor(connection, due)
            if not due:
                return Refreshed(snapshot.version)
            now = self.clock()
            found = engine(duck, snapshot, due)
            result = self._write(connection, table, found.rows, due, due, snapshot, now)
            if found.arrivals is not None:
                _write_arrivals(connection, found.arrivals, due, snapshot, now)
            _note_joins(connection, found.joins, due, snapshot, now)
            contents.note(connection, table.name, due)
            return result

    def refresh_open(self) -> Refreshed:
        """Bring all open hours and days of all apps up to date, at the cost of what is new."""
        path = self.settings.state_dir / OPEN_STATE_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._warehouse() as connection, _session_lock(connection, _OPEN_STATE_LOCK):
            try:
                return self._refresh_open(connection, path)
            except duckdb.Error:
                # A power cut may have torn it, an older version may have made other tables; the lake has it all.
                log.warning("The key sets of open periods start anew.", exc_info=True)
            for file in (path, path.with_name(f"{path.name}.wal")):
                file.unlink(missing_ok=True)
            return self._refresh_open(connection, path)

    def _refresh_open(self, connection: psycopg.Connection, path: Path) -> Refreshed:
        # Before the periods are chosen: none of them is noted as closed without an exact computation.
        now = self.clock()
        periods = self.open_periods(connection)
        connection.commit()
        if not periods:
            return Refreshed(self.snapshot().version)
        with self.connect_to(path) as duck:
            duck.begin()
            with connection.transaction():
                period_store.lock(connection, rollups.METRIC.name, periods)
                snapshot = self.snapshot()
                versions = period_store.computed_versions(connection, rollups.METRIC.name, periods)
                found = OpenState(duck).refresh(snapshot, periods, versions)
                written = (found.rows, periods, found.whole, snapshot, now)
                result = self._write(connection, rollups.METRIC, *written, gone=found.gone)
                _write_arrivals(connection, found.arrivals, found.whole, snapshot, now)
            # Postgres first: a state that is behind it only does the same work again.
            duck.commit()
        return replace(result, new_rows=found.new_rows)

    def _write(
        self,
        connection: psycopg.Connection,
        table: RollupTable,
        rows: pa.Table,
        periods: Sequence[Period],
        whole: Sequence[Period],
        snapshot: Snapshot,
        now: datetime,
        gone: pa.Table | None = None,
    ) -> Refreshed:
        zones = period_store.zones(connection, hold=True)
        if not all(period.app_id in zones and calendar.is_in(period, zones[period.app_id]) for period in periods):
            raise StalePeriodsError("An app was deleted or got another time zone while its periods were computed.")
        if len(period_store.above_floor(connection, periods)) < len(periods):
            raise StalePeriodsError("Events of these periods were archived while they were computed.")
        with restatements.watch(connection, table.name, periods, now, self.cause) as watched:
            written = watched.wrote(rollups.write(connection, table, rows, whole, now, gone=gone))
        period_store.alone(connection)
        period_store.add_missing(connection, table.name, _present(table, rows, periods), snapshot.version)
        period_store.mark_computed(
            connection, table.name, periods, snapshot.version, duckdb_sql.definition_version(), now
        )
        return Refreshed(snapshot.version, periods, written.changed, written.deleted)

    def open_periods(self, connection: psycopg.Connection) -> list[Period]:
        """Hours and days into which events that arrive now can fall on time."""
        now = self.clock()
        zones = period_store.zones(connection)
        start, end = now - calendar.CLOSING_DELAY, now + _AHEAD
        hours = [hour for app, zone in zones.items() for hour in calendar.hours_meeting(app, zone, start, end)]
        days = [day for app, zone in zones.items() for day in calendar.days_meeting(app, zone, start, end)]
        return [period for period in hours + days if period.is_open(now)]

    def snapshot(self) -> Snapshot:
        """The lake as it is now."""
        return LakeTable(lake_directory(self.settings), EVENTS).snapshot()

    def _warehouse(self) -> AbstractContextManager[psycopg.Connection]:
        return closing(warehouse.connect(self.settings))


def _write_arrivals(
    connection: psycopg.Connection, found: Arrivals, whole: Sequence[Period], snapshot: Snapshot, now: datetime
) -> None:
    """Write when the events of hours arrived, in the transaction that holds their locks and `periods.alone`."""
    hours = [period for period in whole if period.grain == "hour"]
    rollups.write(connection, rollups.COUNTED_ARRIVAL, found.counted, hours, now)
    arrivals.write_copies(connection, found.copies, found.homes, period_store.zones(connection), snapshot.version)


def _note_joins(
    connection: psycopg.Connection, found: ServerJoins, periods: Sequence[Period], snapshot: Snapshot, now: datetime
) -> None:
    """Note by which sessions servers' events were counted, in the transaction that holds `periods.alone`.

    A refresh of sessions looks at these periods after its commit to the lake. Where that commit has come meanwhile, it
    may have looked already, and too early: they are counted again.
    """
    server_joins.note(connection, {period: found.numbers.get(index, 0) for index, period in enumerate(periods)})
    touched = [periods[index] for index in found.numbers]
    if touched and server_join_engine.session_files(snapshot, touched) != found.files:
        period_store.distrust(connection, rollups.METRIC.name, touched, now)


def _present(table: RollupTable, rows: pa.Table, periods: Sequence[Period]) -> list[Period]:
    """Periods that have rows."""
    names = [name for name in ("app_id", "grain", "period_start") if name in table.keys]
    seen = {
        (row["app_id"], row.get("grain", "day"), row["period_start"].astimezone(UTC))
        for row in rows.select(names).group_by(names).aggregate([]).to_pylist()
    }
    return [period for period in periods if key_of(period) in seen]


@contextmanager
def _session_lock(connection: psycopg.Connection, key: int) -> Iterator[None]:
    connection.execute("select pg_advisory_lock(%s)", [key])
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute("select pg_advisory_unlock(%s)", [key])
        connection.commit()
