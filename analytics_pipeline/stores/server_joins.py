"""By which sessions the events of servers were counted in closed hours and days: one number for each."""

from collections.abc import Mapping
from datetime import UTC

import psycopg

from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.stores.rollups import scope_of

_SCOPE = (
    "unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[]) as scope (app_id, grain, period_start, number)"
    " where table_name = 'metric' and (periods.app_id, periods.grain, periods.period_start)"
    "  = (scope.app_id, scope.grain, scope.period_start) and periods.server_joins <> scope.number"
)


def note(connection: psycopg.Connection, numbers: Mapping[Period, int]) -> None:
    """Note the numbers by which periods have been counted."""
    connection.execute(f"update rollups.periods set server_joins = scope.number from {_SCOPE}", _parameters(numbers))


def counted_otherwise(connection: psycopg.Connection, numbers: Mapping[Period, int]) -> list[Period]:
    """Closed and clean periods that were counted by other numbers."""
    rows = connection.execute(
        f"select periods.app_id, periods.grain, periods.period_start from rollups.periods, {_SCOPE}"
        " and closed_at is not null and dirty_since is null",
        _parameters(numbers),
    ).fetchall()
    keys = {(app_id, grain, start.astimezone(UTC)) for app_id, grain, start in rows}
    return [period for period in numbers if (period.app_id, period.grain, period.start) in keys]


def _parameters(numbers: Mapping[Period, int]) -> list[list[object]]:
    return [*scope_of(list(numbers)), list(numbers.values())]
