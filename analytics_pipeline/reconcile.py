"""Compares the rollups with the lake itself, whatever the sensor has or has not seen."""

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import psycopg

from analytics_pipeline.engines import duckdb_sql, exact
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import periods as period_store
from eventmill import warehouse
from eventmill.analysis import relations
from eventmill.control import reconciliation
from eventmill.lake import Snapshot

# Every zone's offset is a multiple of a quarter of an hour, so its hours and days are made of these.
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Periods with events in the lake, those of them whose rollup was missing or wrong, and the lake's version."""

    compared: int
    wrong: list[Period]
    lake_version: int


def reconcile(refresher: Refresher) -> Reconciled:
    """Make closed periods dirty whose total differs from the lake's, and open ones computed from an older lake.

    Costs one pass over two columns of the lake, and de-duplicates only periods where the plain count differs.
    """
    with closing(warehouse.connect(refresher.settings)) as connection, refresher.connect() as duck:
        requested_at = reconciliation.wanted_at(connection)
        snapshot = refresher.snapshot()
        zones = period_store.zones(connection)
        stored = _stored_counts(duck, snapshot, zones)
        now = refresher.clock()
        totals = _totals(connection)
        suspects = [
            period
            for period, events in stored.items()
            if totals.get(_key(period)) != events and not period.is_open(now)
        ]
        wrong = _wrong(duck, snapshot, suspects, totals)
        _request(connection, stored, wrong, zones, snapshot.version, now)
        reconciliation.done(connection, requested_at)
        connection.commit()
    return Reconciled(len(stored), wrong, snapshot.version)


def _request(
    connection: psycopg.Connection,
    stored: dict[Period, int],
    wrong: list[Period],
    zones: dict[str, ZoneInfo],
    version: int,
    now: datetime,
) -> None:
    # An app that got another time zone meanwhile has other periods: the next reconciliation looks at these.
    kept = {app for app, zone in period_store.zones(connection, hold=True).items() if zones.get(app) == zone}
    lacking = [period for period in wrong if period.app_id in kept]
    opened = [(period, 0) for period in stored if period.app_id in kept and period.is_open(now)]
    days = [period for period in stored if period.app_id in kept and period.grain == "day"]
    period_store.alone(connection)
    period_store.distrust(connection, "metric", lacking, now)
    period_store.mark_dirty(connection, "metric", opened, version, now)
    without_sessions = {*_without_sessions(connection, days), *(day for day in lacking if day.grain == "day")}
    period_store.distrust(connection, "page_session", sorted(without_sessions), now)


def _stored_counts(
    duck: duckdb.DuckDBPyConnection, snapshot: Snapshot, zones: dict[str, ZoneInfo]
) -> dict[Period, int]:
    """Events of every hour and day that the lake has any of, copies included."""
    duckdb_sql.prepare(duck)
    relations.use_lake(duck, snapshot.locate(snapshot.files["path"].to_pylist()) if snapshot.files.num_rows else [])
    quarters = duck.execute(
        "select app_id, time_bucket(interval '15 minutes', event_time), count(*) from lake group by all"
    ).fetchall()
    counts: dict[Period, int] = defaultdict(int)
    for app_id, start, events in quarters:
        zone = zones.get(app_id)
        if zone is None:
            continue
        begin = start.astimezone(UTC)
        for meeting in (calendar.hours_meeting, calendar.days_meeting):
            for period in meeting(app_id, zone, begin, begin + QUARTER):
                counts[period] += events
    return counts


def _totals(connection: psycopg.Connection) -> dict[tuple[str, str, datetime], int]:
    rows = connection.execute(
        "select app_id, grain, period_start, events from rollups.metric where dimension = 'total' and traffic = 'all'"
    ).fetchall()
    return {(app_id, grain, start): events for app_id, grain, start, events in rows}


def _wrong(
    duck: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    suspects: list[Period],
    totals: dict[tuple[str, str, datetime], int],
) -> list[Period]:
    missing = [period for period in suspects if _key(period) not in totals]
    wrong = list(missing)
    for period in suspects:
        # One at a time keeps memory to one period's ids.
        if _key(period) in totals:
            (events,) = exact.distinct_events(duck, snapshot, [period])
            wrong += [period] if events != totals[_key(period)] else []
    return wrong


def _without_sessions(connection: psycopg.Connection, days: list[Period]) -> list[Period]:
    known = period_store.computed_versions(connection, "page_session", days)
    return [day for day in days if _key(day) not in known]


def _key(period: Period) -> tuple[str, str, datetime]:
    return period.app_id, period.grain, period.start
