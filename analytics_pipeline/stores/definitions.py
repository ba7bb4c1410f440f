"""Which saved cohorts and funnels have to be computed, and their results: replaced whole, in one transaction."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from analytics_pipeline.lib.period_tables import SESSIONS, needs_before
from eventmill.analysis.local_days import Calendar

# A result that lags behind the lake is computed again so long after it was computed last.
EVERY = timedelta(minutes=5)
# Paths in progress end by themselves, without an event.
PROGRESS_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A definition to compute, and what of its app decides the numbers."""

    id: UUID
    app_id: str
    definition: dict[str, Any]
    calendar: Calendar
    lake_floor: datetime | None
    is_computed: bool


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table of `rollups` with the rows of a definition: what identifies a row within it, and the rest."""

    name: str
    id_column: str
    keys: Sequence[str]
    values: Sequence[str]
    # Whether `computed_at` says when a row was computed last, not when it changed.
    is_state: bool = True


COHORT = ResultTable(
    "cohort",
    "cohort_id",
    keys=(),
    values=(
        *("app_id", "user_count", "retention_rate", "daily_visitors", "is_exact", "lake_version"),
        *("definition_version", "complete_through"),
    ),
)
COHORT_RETENTION = ResultTable(
    "cohort_retention",
    "cohort_id",
    keys=("interval_kind", "mode", "recurrence", "cohort_date", "period_offset"),
    values=("app_id", "cohort_size", "returning_users", "is_incomplete"),
    is_state=False,
)
FUNNEL_STEP = ResultTable(
    "funnel_step",
    "funnel_id",
    keys=("breakdown_kind", "breakdown_value", "step_no"),
    values=(
        *("app_id", "step_name", "users", "in_progress", "median_seconds", "mean_seconds", "range_from", "range_to"),
        *("window_seconds", "is_exact", "lake_version", "definition_version", "complete_through"),
    ),
)

_COHORT_RESULTS: LiteralString = (
    "select cohort_id as id, lake_version, definition_version, computed_at, false as is_moving from rollups.cohort"
)
_FUNNEL_RESULTS: LiteralString = (
    "select funnel_id as id, min(lake_version) as lake_version, min(definition_version) as definition_version,"
    " min(computed_at) as computed_at, bool_or(in_progress > 0) as is_moving"
    " from rollups.funnel_step group by funnel_id"
)
# Behind the lake: events came, a closed period changed (by an erasure, a sign-up), or another day has begun.
_DUE: LiteralString = """
    select saved.{id_column}, saved.app_id, saved.definition, app.time_zone, app.week_start, app.lake_floor,
        result.id is not null
    from control.{table} as saved
    join control.app using (app_id)
    left join ({results}) as result on result.id = saved.{id_column}
    where app.deleted_at is null and (
        result.id is null
        or result.definition_version <> %(definition_version)s
        or result.computed_at <= %(now)s - %(every)s and (
            result.lake_version < (select max(wanted_version) from rollups.periods
                where periods.app_id = saved.app_id and table_name = 'metric')
            or exists (select from rollups.restatement
                where restatement.app_id = saved.app_id and restated_at > result.computed_at)
            or (result.computed_at at time zone app.time_zone)::date < (%(now)s at time zone app.time_zone)::date
            or result.is_moving and result.computed_at <= %(now)s - %(progress_every)s
        )
    )
    order by saved.app_id, result.computed_at nulls first, saved.created_at
"""


def due(connection: psycopg.Connection, table: ResultTable, definition_version: str, now: datetime) -> list[Due]:
    """Definitions whose results are missing, of another definition version, or behind the lake for some minutes."""
    is_cohort = table is COHORT
    query = sql.SQL(_DUE).format(
        id_column=sql.Identifier(table.id_column),
        table=sql.Identifier("cohort" if is_cohort else "funnel"),
        results=sql.SQL(_COHORT_RESULTS if is_cohort else _FUNNEL_RESULTS),
    )
    rows = connection.execute(
        query,
        {"definition_version": definition_version, "now": now, "every": EVERY, "progress_every": PROGRESS_EVERY},
    ).fetchall()
    return [
        Due(found_id, app_id, definition, Calendar(ZoneInfo(zone), week_start), lake_floor, is_computed)
        for found_id, app_id, definition, zone, week_start, lake_floor, is_computed in rows
    ]


def days_version(connection: psycopg.Connection, app_id: str) -> int:
    """Lake version that the app's days of actors hold at least; very large where none of them lags behind.

    Days that the lake floor keeps from being computed do not count.
    """
    row = connection.execute(
        "select min(coalesce(computed_version, 0)) from rollups.periods join control.app using (app_id)"
        " where app_id = %s and table_name = %s and dirty_since is not null"
        "  and (lake_floor is null or period_start - %s >= lake_floor)",
        [app_id, SESSIONS.table_name, needs_before(SESSIONS.table_name)],
    ).fetchone()
    return sys.maxsize if row is None or row[0] is None else int(row[0])


def hold(connection: psycopg.Connection, table: ResultTable, found: Due) -> bool:
    """Keep the definition and its app until the transaction ends; False where one is gone or has changed.

    The floor rises before the rows below it leave the lake: what was computed across that may lack them.
    """
    query = sql.SQL(
        "select time_zone, week_start, lake_floor from control.{} join control.app using (app_id)"
        " where {} = %s and deleted_at is null for share"
    ).format(sql.Identifier("cohort" if table is COHORT else "funnel"), sql.Identifier(table.id_column))
    row = connection.execute(query, [found.id]).fetchone()
    return row == (found.calendar.zone.key, found.calendar.week_start, found.lake_floor)


def replace(
    connection: psycopg.Connection,
    table: ResultTable,
    definition_id: UUID,
    rows: Iterable[Sequence[object]],
    computed_at: datetime,
) -> int:
    """Make `rows` (keys, then values) the definition's rows; those that stay the same are not touched.

    Returns how many were written or deleted. The caller commits.
    """
    names = _identifiers(table)
    connection.execute(
        sql.SQL("create temp table {incoming} on commit drop as select {columns} from {target} limit 0").format(**names)
    )
    with connection.cursor().copy(sql.SQL("copy {incoming} ({columns}) from stdin").format(**names)) as copy:
        for row in rows:
            copy.write_row([definition_id, *row])
    deleted = connection.execute(
        sql.SQL("delete from {target} where {id} = %s and ({keys}) not in (select {keys} from {incoming})").format(
            **names
        ),
        [definition_id],
    ).rowcount
    changed = connection.execute(
        sql.SQL(
            "insert into {target} as old ({columns}, computed_at) select {columns}, %s from {incoming}"
            " on conflict ({keys}) do update set {assignments}, computed_at = excluded.computed_at"
            " where {is_state} or ({old}) is distinct from ({new})"
        ).format(is_state=sql.Literal(table.is_state), **names),
        [computed_at],
    ).rowcount
    connection.execute(sql.SQL("drop table {incoming}").format(**names))
    return deleted + changed


def _identifiers(table: ResultTable) -> dict[str, sql.Composable]:
    """What the statements of `replace` are made of."""
    columns = [table.id_column, *table.keys, *table.values]
    return {
        "target": sql.Identifier("rollups", table.name),
        "incoming": sql.Identifier(f"incoming_{table.name}"),
        "columns": _names(columns),
        "id": sql.Identifier(table.id_column),
        "keys": _names([table.id_column, *table.keys]),
        "assignments": sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in table.values
        ),
        "old": sql.SQL(", ").join(sql.Identifier("old", name) for name in table.values),
        "new": sql.SQL(", ").join(sql.Identifier("excluded", name) for name in table.values),
    }


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
