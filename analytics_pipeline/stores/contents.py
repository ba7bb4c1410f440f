"""One number of all rows of a period, noted when they are written: it tells rows that were deleted or changed since."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.stores.rollups import (
    DAILY_VISITOR,
    METRIC,
    REVENUE,
    SESSION_METRIC,
    RollupTable,
    RowPeriod,
    scope_of,
)

# The rollups behind a table of `rollups.periods`.
_ROLLUPS: Mapping[str, Sequence[RollupTable]] = {
    "metric": (METRIC,),
    "sessions": (SESSION_METRIC, REVENUE, DAILY_VISITOR),
}


def note(connection: psycopg.Connection, table_name: str, periods: Sequence[Period]) -> None:
    """Note the rows of `periods` as they are in this transaction, after `periods.mark_computed`."""
    scope = sql.SQL(
        "(app_id, grain, period_start) in (select * from unnest(%s::text[], %s::text[], %s::timestamptz[]))"
    )
    connection.execute(
        sql.SQL(
            "update rollups.periods as noted set content = found.content from ({found}) as found"
            " where noted.table_name = %s and (noted.app_id, noted.grain, noted.period_start)"
            "  = (found.app_id, found.grain, found.period_start)"
        ).format(found=_found(table_name, scope)),
        [table_name, *scope_of(periods), table_name],
    )


def changed(connection: psycopg.Connection, table_name: str, since: datetime) -> set[RowPeriod]:
    """App, grain and start of the periods, computed since then and clean, whose rows are not what was written."""
    if table_name not in _ROLLUPS:
        return set()
    chosen = sql.SQL("content is not null and dirty_since is null and computed_at >= %s")
    rows = connection.execute(
        sql.SQL("select app_id, grain, period_start from ({found}) as found where content <> noted").format(
            found=_found(table_name, chosen)
        ),
        [table_name, since],
    ).fetchall()
    return {(app_id, grain, start.astimezone(UTC)) for app_id, grain, start in rows}


def _found(table_name: str, chosen: sql.Composable) -> sql.Composed:
    """Query of (app_id, grain, period_start, content, noted) of chosen periods; a day has the sessions of its hours."""
    contents = sql.SQL(" + ").join(_content(table_name, table) for table in _ROLLUPS[table_name])
    return sql.SQL(
        "select app_id, grain, period_start, content as noted, {contents} as content from rollups.periods as period"
        " where table_name = %s and {chosen}"
    ).format(contents=contents, chosen=chosen)


def _content(table_name: str, table: RollupTable) -> sql.Composed:
    of_period = sql.SQL("one.grain = period.grain and one.period_start = period.period_start")
    grains = sql.SQL("one.grain in ('hour', 'day') and " if table.has_grain else "")
    of_day = grains + sql.SQL("one.period_start >= period.period_start and one.period_start < period.period_end")
    return sql.SQL(
        "(select coalesce(sum(hash_record_extended(row({columns}), 0)), 0) from {table} as one"
        " where one.app_id = period.app_id and {condition})"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("one", name) for name in table.columns),
        table=sql.Identifier("rollups", table.name),
        condition=of_period if table_name == METRIC.name else of_day,
    )
