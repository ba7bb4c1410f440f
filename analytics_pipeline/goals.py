"""Brings days of `rollups.goal_metric` up to the lake, and asks for the days of a new goal."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import psycopg
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql, goals
from analytics_pipeline.engines.goals import Goal
from analytics_pipeline.engines.open_state import key_of
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import GOALS
from analytics_pipeline.refresh import Refreshed, Refresher, StalePeriodsError
from analytics_pipeline.refresh_days import calendars
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores import restatements, rollups
from analytics_pipeline.stores.rollups import RollupTable
from eventmill import warehouse
from eventmill.analysis.goals import parse_goal

GOAL_METRIC = RollupTable(
    "goal_metric",
    keys=("app_id", "goal_id", "period_start", "traffic", "dimension", "value_kind", "value"),
    labels=("local_date",),
    numbers=("events", "visitors", "sessions"),
)
_TABLE = GOALS.table_name


def refresh_goals(refresher: Refresher, days: Sequence[Period]) -> Refreshed:
    """Count the goals of `days`. Days whose sessions the lake cannot tell any more keep their numbers.

    Raises StalePeriodsError where an app, its time zone or its goals change meanwhile.
    """
    with closing(warehouse.connect(refresher.settings)) as connection, connection.transaction():
        period_store.lock(connection, _TABLE, days)
        snapshot = refresher.snapshot()
        known = calendars(connection)
        versions = period_store.computed_versions(connection, _TABLE, days)
        due = [day for day in days if known.may_compute(day) and (versions.get(key_of(day)) or 0) <= snapshot.version]
        if not due:
            return Refreshed(snapshot.version)
        now = refresher.clock()
        saved = saved_goals(connection, [day.app_id for day in due])
        with_goals = {app_id for app_id, _, _ in saved}
        counted = [day for day in due if day.app_id in with_goals]
        rows = pa.table({name: [] for name in GOAL_METRIC.columns})
        if counted:
            with refresher.connect() as duck:
                rows = goals.goal_rows(duck, snapshot, counted, saved, known.zones)
        held = calendars(connection, hold=True)
        if not all(held.may_compute(day) for day in due) or saved != saved_goals(
            connection, [day.app_id for day in due], hold=True
        ):
            raise StalePeriodsError("An app, its time zone or its goals changed while its days were computed.")
        return _write(connection, refresher, rows, due, snapshot.version, now)


def saved_goals(connection: psycopg.Connection, app_ids: Sequence[str], *, hold: bool = False) -> list[Goal]:
    """The goals of these apps; with `hold` none of them is deleted until the transaction ends."""
    query = "select app_id, goal_id::text, definition from control.goal where app_id = any(%s) order by app_id, goal_id"
    rows = connection.execute(f"{query} for share" if hold else query, [list(app_ids)]).fetchall()
    return [(app_id, goal_id, parse_goal(definition).filter) for app_id, goal_id, definition in rows]


def _write(
    connection: psycopg.Connection,
    refresher: Refresher,
    rows: pa.Table,
    days: Sequence[Period],
    version: int,
    now: datetime,
) -> Refreshed:
    with restatements.watch(connection, _TABLE, days, now, refresher.cause) as watched:
        written = watched.wrote(rollups.write(connection, GOAL_METRIC, rows, days, now))
    period_store.alone(connection)
    period_store.mark_computed(connection, _TABLE, days, version, duckdb_sql.definition_version(GOALS.sql_folder), now)
    return Refreshed(version, days, written.changed, written.deleted)


def ask_for_new(connection: psycopg.Connection, now: datetime) -> int:
    """Make every day of the apps with a goal that was never asked for dirty; returns how many such goals there are.

    The first count of a goal is no restatement, so the days count as never closed.
    """
    with connection.transaction():
        new = connection.execute(
            "insert into rollups.goal (goal_id, app_id, asked_at) select goal_id, app_id, %s from control.goal"
            " join control.app using (app_id) where deleted_at is null"
            " and not exists (select from rollups.goal as asked where asked.goal_id = goal.goal_id)"
            " returning app_id",
            [now],
        ).fetchall()
        if not new:
            return 0
        apps = sorted({app_id for (app_id,) in new})
        period_store.alone(connection)
        period_store.distrust(connection, _TABLE, _days_with_events(connection, apps), now, cause="definition")
        connection.execute(
            "update rollups.periods set closed_at = null where table_name = %s and app_id = any(%s)", [_TABLE, apps]
        )
    return len(new)


def _days_with_events(connection: psycopg.Connection, app_ids: Sequence[str]) -> list[Period]:
    known = calendars(connection)
    rows = connection.execute(
        "select app_id, local_date from rollups.periods"
        " where table_name = 'metric' and grain = 'day' and app_id = any(%s) order by app_id, local_date",
        [list(app_ids)],
    ).fetchall()
    days = [
        calendar.day(app_id, known.zones[app_id], local_date) for app_id, local_date in rows if app_id in known.zones
    ]
    return [day for day in days if known.may_compute(day)]
