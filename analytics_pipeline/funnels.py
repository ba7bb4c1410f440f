"""Computes saved funnels from the lake."""

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import duckdb
import psycopg

from analytics_pipeline import definition_versions
from analytics_pipeline.cohorts import Connect, Refreshed, each, use_relations
from analytics_pipeline.engines.sessions import use_session_events
from analytics_pipeline.lib import calendar
from analytics_pipeline.stores import definitions, lake_progress
from analytics_pipeline.stores.definitions import Due
from eventmill import warehouse
from eventmill.analysis import funnel
from eventmill.analysis.funnel_definition import CountBy, FunnelDefinition
from eventmill.analysis.saved_funnels import parse_saved_funnel
from eventmill.lake import EVENTS, LakeTable, Snapshot, lake_directory
from eventmill.settings import Settings

log = logging.getLogger(__name__)
_EVENTS = "funnel_events_of_app"


def refresh_funnels(settings: Settings, connect: Connect, now: datetime) -> Refreshed:
    """Compute every funnel that is due; `connect` opens an in-memory DuckDB.

    One whose range starts below the app's lake floor keeps the result that it has.
    """
    with closing(warehouse.connect(settings)) as connection:
        found = definitions.due(connection, definitions.FUNNEL_STEP, definition_versions.of_funnels(), now)
        complete_through = lake_progress.complete_through(connection)
        connection.commit()
        return each(found, lambda one: _computed(settings, connection, connect, one, complete_through, now))


def _computed(
    settings: Settings,
    connection: psycopg.Connection,
    connect: Connect,
    due: Due,
    complete_through: datetime | None,
    now: datetime,
) -> int:
    asked = parse_saved_funnel(due.definition).at(now, due.calendar)
    if due.is_computed and not _is_whole(asked, due):
        _confirm(connection, due, now)
        return 0
    with connect() as duck:
        return _refresh(settings, connection, duck, due, asked, complete_through, now)


def _is_whole(asked: FunnelDefinition, due: Due) -> bool:
    return due.lake_floor is None or (asked.range_from is not None and asked.range_from >= due.lake_floor)


def _confirm(connection: psycopg.Connection, due: Due, now: datetime) -> None:
    """Note that there is nothing to compute, so that it is not asked for at once again."""
    log.info("Funnel %s starts before its app's lake floor and is left as it is.", due.id)
    with connection.transaction():
        connection.execute(
            "update rollups.funnel_step set computed_at = %s, definition_version = %s where funnel_id = %s",
            [now, definition_versions.of_funnels(), due.id],
        )


def _refresh(
    settings: Settings,
    connection: psycopg.Connection,
    duck: duckdb.DuckDBPyConnection,
    due: Due,
    asked: FunnelDefinition,
    complete_through: datetime | None,
    now: datetime,
) -> int:
    snapshot = LakeTable(lake_directory(settings), EVENTS).snapshot()
    events = _use_events(duck, settings, snapshot, due, asked)
    rows = [
        _row(step, due, asked, snapshot.version, complete_through)
        for step in funnel.run(duck, asked, events, complete_through=complete_through)
    ]
    with connection.transaction():
        if not definitions.hold(connection, definitions.FUNNEL_STEP, due):
            log.info("Funnel %s was deleted, or its app changed, while it was computed.", due.id)
            return 0
        return definitions.replace(connection, definitions.FUNNEL_STEP, due.id, rows, now)


def _use_events(
    duck: duckdb.DuckDBPyConnection, settings: Settings, snapshot: Snapshot, due: Due, asked: FunnelDefinition
) -> str:
    """The app's events from the start of the range to one window after its end, with sessions where these count."""
    start, end = _span(asked)
    if asked.count_by is CountBy.SESSION:
        zone = due.calendar.zone
        days = list(calendar.days_meeting(due.app_id, zone, start, end))
        use_session_events(duck, snapshot, days, {due.app_id: zone})
        traffics = "('both', 'all')" if asked.include_bots else "('both', 'human')"
        duck.execute(
            f"create or replace temp view {_EVENTS} as from session_events"
            f" where session_key is not null and traffic in {traffics}"
        )
        return _EVENTS
    use_relations(duck, settings, snapshot, due.app_id, (start, end))
    # A view cannot hold a parameter; an app's id has no character that could end the text.
    duck.execute(f"create or replace temp view {_EVENTS} as from actor_events where app_id = '{due.app_id}'")
    return _EVENTS


def _span(asked: FunnelDefinition) -> tuple[datetime, datetime]:
    if asked.range_from is None or asked.range_to is None:
        msg = "a saved funnel is computed over a range"
        raise ValueError(msg)
    return asked.range_from, asked.range_to + asked.window


def _row(
    step: funnel.FunnelStepRow,
    due: Due,
    asked: FunnelDefinition,
    lake_version: int,
    complete_through: datetime | None,
) -> Sequence[Any]:
    return (
        *(step.breakdown_kind, step.breakdown_value, step.step_no),
        *(due.app_id, step.step_name, step.users, step.in_progress, step.median_seconds, step.mean_seconds),
        *(asked.range_from, asked.range_to, int(asked.window.total_seconds()), _is_whole(asked, due)),
        *(lake_version, definition_versions.of_funnels(), complete_through),
    )
