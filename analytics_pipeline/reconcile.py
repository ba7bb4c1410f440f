"""Compares lake, rollups and marts, whatever the sensor has or has not seen, and asks for what is missing or wrong."""

import logging
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import psycopg

from analytics_pipeline.engines import exact, files
from analytics_pipeline.engines.open_state import key_of
from analytics_pipeline.engines.stored import stored_counts
from analytics_pipeline.lib import calendar, period_tables
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import PeriodTable, is_below_floor
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import coherence, contents, reconciliations
from analytics_pipeline.stores import periods as period_store
from eventmill import warehouse
from eventmill.control import reconciliation
from eventmill.lake import Snapshot

log = logging.getLogger(__name__)
_Totals = dict[tuple[str, str, datetime], int]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Hours and days that were compared with the lake, and the lake's version.

    `wrong` are those of them whose total was missing or wrong, `asked_for` how many periods of which table are computed
    again, `marts` a line for each mart that differs from the rollups.
    """

    compared: int
    wrong: list[Period]
    lake_version: int
    asked_for: dict[str, set[Period]] = field(default_factory=dict)
    marts: list[str] = field(default_factory=list)


def reconcile(refresher: Refresher, *, is_full: bool = True) -> Reconciled:
    """Make closed periods dirty whose total differs from the lake's, and open ones computed from an older lake.

    Sessions, weeks and months follow, and whatever contradicts itself in Postgres. A full comparison costs one pass
    over two columns of the lake, another one that over the files that may meet what is new since the one before.
    """
    with closing(warehouse.connect(refresher.settings)) as connection, refresher.connect() as duck:
        requested_at = reconciliation.wanted_at(connection)
        compared_seq, since = reconciliations.last(connection)
        since_seq = None if is_full or requested_at is not None else compared_seq or None
        if since_seq is None:
            since = datetime.min.replace(tzinfo=UTC)
        snapshot = refresher.snapshot()
        zones = period_store.zones(connection)
        stored = _above_floor(connection, stored_counts(duck, snapshot, zones, since_seq))
        now = refresher.clock()
        wrong = _wrong(duck, snapshot, stored, _totals(connection), now)
        asked_for = _request(connection, stored, wrong, zones, snapshot.version, now)
        _request_incoherent(connection, asked_for, since, now)
        marts = coherence.marts_that_differ(connection)
        found = Reconciled(len(stored), wrong, snapshot.version, asked_for, marts)
        _record(connection, found, now, files.last_stream_seq(snapshot) or 0, is_full=since_seq is None)
        reconciliation.done(connection, requested_at)
        connection.commit()
    return found


def _record(
    connection: psycopg.Connection, found: Reconciled, started_at: datetime, through_seq: int, *, is_full: bool
) -> None:
    reconciliations.record(
        connection,
        is_full=is_full,
        started_at=started_at,
        lake_version=found.lake_version,
        through_seq=through_seq,
        compared=found.compared,
        wrong=[_named(table, period) for table, periods in found.asked_for.items() for period in sorted(periods)],
        marts=found.marts,
    )


def _above_floor(connection: psycopg.Connection, stored: dict[Period, int]) -> dict[Period, int]:
    """Those periods whose raw events are all there: the others keep the numbers that they have."""
    floors = _floors(connection)
    return {period: events for period, events in stored.items() if not _is_below("metric", period, floors)}


def _floors(connection: psycopg.Connection) -> dict[str, datetime | None]:
    return dict(connection.execute("select app_id, lake_floor from control.app").fetchall())


def _is_below(table_name: str, period: Period, floors: dict[str, datetime | None]) -> bool:
    return is_below_floor(table_name, period.grain, period.start, period.end, floors.get(period.app_id))


def _request(
    connection: psycopg.Connection,
    stored: dict[Period, int],
    wrong: list[Period],
    zones: dict[str, ZoneInfo],
    version: int,
    now: datetime,
) -> dict[str, set[Period]]:
    # An app that got another time zone meanwhile has other periods: the next reconciliation looks at these.
    kept = {app: zone for app, zone in period_store.zones(connection, hold=True).items() if zones.get(app) == zone}
    lacking = {period for period in wrong if period.app_id in kept}
    opened = [(period, 0) for period in stored if period.app_id in kept and period.is_open(now)]
    days = [period for period in stored if period.app_id in kept and period.grain == "day"]
    week_starts = period_store.week_starts(connection)
    with_goals = period_store.apps_with_goals(connection)
    period_store.alone(connection)
    asked_for = {"metric": set(lacking)}
    for table in period_tables.PERIOD_TABLES:
        if table.lane == "closed":
            continue
        # An app without goals has no days of them.
        of_table = [day for day in days if table is not period_tables.GOALS or day.app_id in with_goals]
        meeting = {day: _meeting(table, day, kept[day.app_id], week_starts) for day in of_table}
        found = _missing_or_in(connection, table, meeting, lacking)
        asked_for.setdefault(table.table_name, set()).update(one for one in found if one.start <= now)
    for name, periods in asked_for.items():
        period_store.distrust(connection, name, sorted(periods), now)
    period_store.mark_dirty(connection, "metric", opened, version, now)
    return asked_for


def _missing_or_in(
    connection: psycopg.Connection, table: PeriodTable, meeting: dict[Period, list[Period]], wrong: set[Period]
) -> set[Period]:
    """Periods of the table that nobody knows of, or that meet a wrong day; `meeting` are those of each day."""
    every = sorted({one for ones in meeting.values() for one in ones})
    known = period_store.computed_versions(connection, table.table_name, every)
    return {one for day, ones in meeting.items() for one in ones if day in wrong or key_of(one) not in known}


def _meeting(table: PeriodTable, day: Period, zone: ZoneInfo, week_starts: dict[str, int]) -> list[Period]:
    return list(calendar.meeting(table.grain, day.app_id, zone, day.start, day.end, week_starts.get(day.app_id, 1)))


def _request_incoherent(
    connection: psycopg.Connection, asked_for: dict[str, set[Period]], since: datetime, now: datetime
) -> None:
    """Ask for periods whose rows contradict each other or are not those that were written; adds them to `asked_for`."""
    floors = _floors(connection)
    for name in {table.table_name for table in period_tables.PERIOD_TABLES}:
        keys = coherence.broken(connection, name, since) | contents.changed(connection, name, since)
        periods = set(coherence.periods_of(connection, keys)) - asked_for.get(name, set())
        lost = {one for one in periods if _is_below(name, one, floors)}
        if lost:
            log.warning("%d periods of %s have lost rows, and their raw events have left the lake.", len(lost), name)
        period_store.distrust(connection, name, sorted(periods - lost), now)
        asked_for.setdefault(name, set()).update(periods - lost)


def _totals(connection: psycopg.Connection) -> _Totals:
    rows = connection.execute(
        "select app_id, grain, period_start, events from rollups.metric where dimension = 'total' and traffic = 'all'"
    ).fetchall()
    return {(app_id, grain, start): events for app_id, grain, start, events in rows}


def _wrong(
    duck: duckdb.DuckDBPyConnection, snapshot: Snapshot, stored: dict[Period, int], totals: _Totals, now: datetime
) -> list[Period]:
    """Closed periods whose total is not the lake's; only where the plain count differs are copies looked for."""
    wrong = []
    for period, events in stored.items():
        total = totals.get(key_of(period))
        if period.is_open(now) or total == events:
            continue
        # One at a time keeps memory to one period's ids.
        if total is None or exact.distinct_events(duck, snapshot, [period]) != [total]:
            wrong.append(period)
    return wrong


def _named(table_name: str, period: Period) -> dict[str, str]:
    return {
        "table": table_name,
        "app_id": period.app_id,
        "grain": period.grain,
        "period_start": period.start.isoformat(),
    }
