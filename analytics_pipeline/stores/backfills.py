"""Which periods a run that somebody asked for has still to compute."""

import logging
from collections.abc import Sequence
from datetime import datetime

import psycopg

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import PeriodTable, is_below_floor
from analytics_pipeline.stores.rollups import scope_of

log = logging.getLogger(__name__)


def remaining(
    connection: psycopg.Connection, table: PeriodTable, periods: Sequence[Period], since: datetime | None
) -> list[Period]:
    """Those of `periods` that were not computed after `since`, by the present definition, from all that they want.

    Periods whose raw events have left the lake, wholly or in part, are left out, and the log says so.
    """
    floors: dict[str, datetime] = dict(
        connection.execute("select app_id, lake_floor from control.app where lake_floor is not null").fetchall()
    )
    kept = [one for one in periods if not _is_below(table, one, floors.get(one.app_id))]
    if len(kept) < len(periods):
        log.warning(
            "%d periods of %s start before the lake floor of their app and are not computed again.",
            len(periods) - len(kept),
            table.asset,
        )
    if since is None:
        return kept
    done = {
        (app_id, start)
        for app_id, start in connection.execute(
            "select app_id, period_start from rollups.periods"
            " join unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"
            "  using (app_id, grain, period_start)"
            " where table_name = %s and computed_at >= %s and definition_version = %s and dirty_since is null",
            [*scope_of(kept), table.table_name, since, duckdb_sql.definition_version(table.sql_folder)],
        ).fetchall()
    }
    return [period for period in kept if (period.app_id, period.start) not in done]


def _is_below(table: PeriodTable, period: Period, floor: datetime | None) -> bool:
    return is_below_floor(table.table_name, period.grain, period.start, period.end, floor)
