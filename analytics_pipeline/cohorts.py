"""Computes saved cohorts and their retention from the lake."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import psycopg

from analytics_pipeline import definition_versions
from analytics_pipeline.engines import identities
from analytics_pipeline.engines.files import all_files, files_meeting
from analytics_pipeline.stores import definitions, lake_progress
from analytics_pipeline.stores.definitions import Due
from eventmill import warehouse
from eventmill.analysis import relations, retention
from eventmill.analysis.cohorts import CohortDefinition, parse_cohort
from eventmill.analysis.day_tables import use_day_table
from eventmill.analysis.local_days import Calendar
from eventmill.analysis.retention import MAX_PERIODS, Cell, CohortResult
from eventmill.errors import EventmillError
from eventmill.lake import ACTOR_FIRST, EVENTS, LakeTable, Snapshot, lake_directory
from eventmill.settings import Settings

log = logging.getLogger(__name__)
Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many definitions were computed, and how many rows that changed in Postgres."""

    computed: int = 0
    rows_changed: int = 0


def refresh_cohorts(settings: Settings, connect: Connect, now: datetime) -> Refreshed:
    """Compute every cohort that is due; `connect` opens an in-memory DuckDB."""
    with closing(warehouse.connect(settings)) as connection:
        found = definitions.due(connection, definitions.COHORT, definition_versions.of_cohorts(), now)
        complete_through = lake_progress.complete_through(connection)
        connection.commit()
        return each(found, lambda one: _connected(settings, connection, connect, one, complete_through, now))


def each(found: Sequence[Due], refresh: Callable[[Due], int]) -> Refreshed:
    """Refresh every definition; one that fails does not keep the others from it, and fails the whole in the end."""
    changed = 0
    failed: list[Exception] = []
    for one in found:
        try:
            changed += refresh(one)
        except (duckdb.Error, EventmillError) as error:
            log.exception("Definition %s cannot be computed.", one.id)
            failed.append(error)
    if failed:
        raise ExceptionGroup("some definitions could not be computed", failed)
    return Refreshed(len(found), changed)


def _connected(
    settings: Settings,
    connection: psycopg.Connection,
    connect: Connect,
    due: Due,
    complete_through: datetime | None,
    now: datetime,
) -> int:
    with connect() as duck:
        return _refresh(settings, connection, duck, due, complete_through, now)


def _refresh(
    settings: Settings,
    connection: psycopg.Connection,
    duck: duckdb.DuckDBPyConnection,
    due: Due,
    complete_through: datetime | None,
    now: datetime,
) -> int:
    definition = parse_cohort(due.definition)
    snapshot = LakeTable(lake_directory(settings), EVENTS).snapshot()
    # Before they are read: days that are computed meanwhile are taken for older than they are.
    version = min(snapshot.version, definitions.days_version(connection, due.app_id))
    connection.commit()
    use_relations(duck, settings, snapshot, due.app_id)
    through = min(complete_through or now, now)
    result = retention.compute(duck, definition, due.calendar, app_id=due.app_id, complete_through=through)
    with connection.transaction():
        if not definitions.hold(connection, definitions.COHORT, due):
            log.info("Cohort %s was deleted, or its app changed, while it was computed.", due.id)
            return 0
        cells = [*_computable(result, definition, due), *_kept(connection, definition, due, through)]
        whole = replace(result, cells=cells)
        state = (
            *(due.app_id, whole.user_count, whole.retention_rate, whole.daily_visitors, is_exact(definition, due)),
            *(version, definition_versions.of_cohorts(), complete_through),
        )
        rows = [_cell_row(cell, due.app_id) for cell in cells]
        changed = definitions.replace(connection, definitions.COHORT_RETENTION, due.id, rows, now)
        return changed + definitions.replace(connection, definitions.COHORT, due.id, [state], now)


def use_relations(
    duck: duckdb.DuckDBPyConnection,
    settings: Settings,
    snapshot: Snapshot,
    app_id: str,
    instants: tuple[datetime, datetime] = EVER,
) -> None:
    """`actor_events` of all apps that lie in `instants`, and `actor_first` of this one."""
    relations.prepare(duck)
    relations.use_lake(duck, files_meeting(snapshot, *instants))
    relations.use_identities(duck, all_files(identities.update(duck, snapshot)))
    relations.use_actor_events(duck)
    table = LakeTable(lake_directory(settings), ACTOR_FIRST)
    if table.exists():
        use_day_table(duck, table, app_ids=[app_id])
    else:
        duck.register("actor_first", ACTOR_FIRST.columns.empty_table())


def is_exact(definition: CohortDefinition, due: Due) -> bool:
    """Whether nothing that was archived could change the cohort."""
    if due.lake_floor is None:
        return True
    if definition.only_type is None:
        return False
    if definition.start is None:
        return definition.is_known_for_ever
    return due.calendar.midnight(definition.start) >= due.lake_floor


def _computable(result: CohortResult, definition: CohortDefinition, due: Due) -> Iterator[Cell]:
    return (
        cell for cell in result.cells if _needed_since(cell, definition, due.calendar) >= (due.lake_floor or EVER[0])
    )


def _kept(connection: psycopg.Connection, definition: CohortDefinition, due: Due, through: datetime) -> Sequence[Cell]:
    """Cells that were computed while the events behind them were in the lake, and cannot be computed any more."""
    if due.lake_floor is None:
        return []
    rows = connection.execute(
        "select interval_kind, mode, recurrence, cohort_date, period_offset, cohort_size, returning_users,"
        " is_incomplete from rollups.cohort_retention where cohort_id = %s and cohort_date <= %s",
        [due.id, due.calendar.local_date(due.lake_floor)],
    ).fetchall()
    today = due.calendar.local_date(through)
    cells = [Cell(*row) for row in rows]
    return [
        cell
        for cell in cells
        if _needed_since(cell, definition, due.calendar) < due.lake_floor
        and _age(cell, due.calendar, today) < MAX_PERIODS[cell.interval_kind]
    ]


def _age(cell: Cell, calendar: Calendar, today: date) -> int:
    return calendar.number(cell.interval_kind, today) - calendar.number(cell.interval_kind, cell.cohort_date)


def _needed_since(cell: Cell, definition: CohortDefinition, calendar: Calendar) -> datetime:
    """Since when the cell needs raw events: first events of a type are known without."""
    offset = cell.period_offset if cell.recurrence == "first_time" and definition.is_known_for_ever else 0
    number = calendar.number(cell.interval_kind, cell.cohort_date) + offset
    return calendar.midnight(calendar.start(cell.interval_kind, number))


def _cell_row(cell: Cell, app_id: str) -> tuple[Any, ...]:
    return (
        *(cell.interval_kind, cell.mode, cell.recurrence, cell.cohort_date, cell.period_offset),
        *(app_id, cell.cohort_size, cell.returning_users, cell.is_incomplete),
    )
