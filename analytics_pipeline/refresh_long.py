"""Brings weeks and months of `rollups.metric` up to the days that they are made of."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql, long
from analytics_pipeline.engines.open_state import key_of
from analytics_pipeline.engines.sessions import FOLDER
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.refresh import Refreshed, Refresher, StalePeriodsError
from analytics_pipeline.refresh_days import TABLE_NAME as DAYS_TABLE
from analytics_pipeline.refresh_days import Calendars, calendars, refresh_days
from analytics_pipeline.stores import contents, lake_progress, restatements, rollups
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.rollups import METRIC, scope_of
from eventmill import warehouse
from eventmill.lake import lake_directory


def refresh_long(refresher: Refresher, periods: Sequence[Period]) -> Refreshed:
    """Bring weeks or months up to what the lake holds of their days; days that never were computed are, first.

    A period is noted at the lake version of its stalest day: where a day is still dirty, so is the period. Those that
    ended before their app's lake floor keep their numbers; of later ones the days below it are kept in the lake.
    """
    with closing(warehouse.connect(refresher.settings)) as connection:
        missing = _never_computed(connection, periods)
    for date in sorted({day.local_date for day in missing}):
        refresh_days(refresher, [day for day in missing if day.local_date == date])
    with (
        closing(warehouse.connect(refresher.settings)) as connection,
        refresher.connect() as duck,
        connection.transaction(),
    ):
        period_store.lock(connection, METRIC.name, periods)
        known = calendars(connection)
        versions = _versions(connection, periods, known)
        through = _complete_through(connection, list(versions), known)
        computed = period_store.computed_versions(connection, METRIC.name, periods)
        due = [period for period in versions if (computed.get(key_of(period)) or 0) <= versions[period]]
        if not due:
            return Refreshed(max(versions.values(), default=0))
        now = refresher.clock()
        rows = long.metric_rows(duck, lake_directory(refresher.settings), due, known.zones)
        return _write(connection, refresher, rows, {period: versions[period] for period in due}, through, now)


def _write(
    connection: psycopg.Connection,
    refresher: Refresher,
    rows: pa.Table,
    versions: dict[Period, int],
    through: dict[Period, datetime],
    now: datetime,
) -> Refreshed:
    periods = list(versions)
    held = calendars(connection, hold=True)
    if not all(_may_compute(period, held, period_store.week_starts(connection)) for period in periods):
        raise StalePeriodsError("An app, its time zone or its first weekday changed while its periods were computed.")
    with restatements.watch(connection, METRIC.name, periods, now, refresher.cause) as watched:
        written = watched.wrote(rollups.write(connection, METRIC, rows, periods, now))
    period_store.alone(connection)
    filled = {
        (row["app_id"], row["grain"], row["period_start"].astimezone(UTC))
        for row in rows.select(["app_id", "grain", "period_start"])
        .group_by(["app_id", "grain", "period_start"])
        .aggregate([])
        .to_pylist()
    }
    # Days that somebody asked for meanwhile, or that lack no event but have another definition, are in no version.
    behind = {period for period in periods if _stale_days(connection, [period], held)}
    definition = duckdb_sql.definition_version(FOLDER)
    for period, version in versions.items():
        present = [period] if key_of(period) in filled else []
        period_store.add_missing(connection, METRIC.name, present, version)
        period_store.mark_computed(
            connection,
            METRIC.name,
            [period],
            version,
            definition,
            now,
            is_final=period not in behind,
            through=through.get(period),
        )
    contents.note(connection, METRIC.name, periods)
    return Refreshed(max(versions.values()), periods, written.changed, written.deleted)


def _may_compute(period: Period, known: Calendars, week_starts: dict[str, int]) -> bool:
    zone, floor = known.zones.get(period.app_id), known.floors.get(period.app_id)
    if zone is None or not calendar.is_in(period, zone, week_starts.get(period.app_id, 1)):
        return False
    return floor is None or period.end > floor


def _never_computed(connection: psycopg.Connection, periods: Sequence[Period]) -> list[Period]:
    """Days of `periods` that are known to have events and never were computed."""
    known = calendars(connection)
    days = _days(periods, known)
    found = period_store.computed_versions(connection, DAYS_TABLE, days)
    return [day for day in days if key_of(day) in found and found[key_of(day)] is None and known.may_compute(day)]


def _days(periods: Sequence[Period], known: Calendars) -> list[Period]:
    return sorted(
        {
            day
            for period in periods
            if period.app_id in known.zones
            for day in calendar.days_of(period, known.zones[period.app_id])
        }
    )


def _versions(connection: psycopg.Connection, periods: Sequence[Period], known: Calendars) -> dict[Period, int]:
    """Lake version that the days of each of `periods` stand for; those that are not to be computed are left out."""
    # What no commit has made dirty up to here is as it was.
    noticed = lake_progress.noticed_version(connection)
    week_starts = period_store.week_starts(connection)
    stale = _stale_days(connection, periods, known)
    return {
        period: min(
            (stale.get(day, noticed) for day in calendar.days_of(period, known.zones[period.app_id])),
            default=noticed,
        )
        for period in periods
        if _may_compute(period, known, week_starts)
    }


def _complete_through(
    connection: psycopg.Connection, periods: Sequence[Period], known: Calendars
) -> dict[Period, datetime]:
    """Since when those of `periods` lag behind that have a dirty day: as long as the day that does so longest."""
    rows = connection.execute(
        "select app_id, period_start, dirty_since from rollups.periods"
        " where table_name = %s and dirty_since is not null and (app_id, period_start) in (select app_id, period_start"
        "  from unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start))",
        [DAYS_TABLE, *scope_of(_days(periods, known))],
    ).fetchall()
    since = {(app_id, start.astimezone(UTC)): instant for app_id, start, instant in rows}
    found: dict[Period, datetime] = {}
    for period in periods:
        days = calendar.days_of(period, known.zones[period.app_id])
        if dirty := [since[day.app_id, day.start] for day in days if (day.app_id, day.start) in since]:
            found[period] = min(dirty)
    return found


def _stale_days(connection: psycopg.Connection, periods: Sequence[Period], known: Calendars) -> dict[Period, int]:
    """Days of `periods` that are dirty and can be computed, with the lake version that they hold."""
    days = {key_of(day): day for day in _days(periods, known) if known.may_compute(day)}
    rows = connection.execute(
        "select app_id, grain, period_start, coalesce(computed_version, 0) from rollups.periods"
        " join unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"
        " using (app_id, grain, period_start) where table_name = %s and dirty_since is not null",
        [*scope_of(list(days.values())), DAYS_TABLE],
    ).fetchall()
    return {days[app_id, grain, start.astimezone(UTC)]: version for app_id, grain, start, version in rows}
