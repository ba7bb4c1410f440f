"""Weeks and months of `rollups.metric`, from what actors and sessions did on their local days."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.engines.sessions import FOLDER
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.analysis.day_tables import use_day_files
from eventmill.lake import ACTOR_DAYS, SESSION_DAYS, LakeTable

_LONG_DAY = pa.schema([("period_id", pa.int64()), ("app_id", pa.string()), ("local_date", pa.date32())])


@dataclass(frozen=True, slots=True)
class InsteadDays:
    """Days (app, local date) that are read from another lake; one without rows there had no events."""

    lake: Path
    days: frozenset[tuple[str, date]]


def metric_rows(
    connection: duckdb.DuckDBPyConnection,
    lake: Path,
    periods: Sequence[Period],
    zones: Mapping[str, ZoneInfo],
    instead: InsteadDays | None = None,
) -> pa.Table:
    """Rows of `rollups.metric` for `periods`, weeks or months; one without events has none.

    Sums are added up over the days; actors and sessions are counted once, however many days they were seen on. One
    dimension at a time is in memory.
    """
    relations.prepare(connection)
    duckdb_sql.run(connection, "macros", folder=FOLDER)
    duckdb_sql.want(connection, list(enumerate(periods)))
    _use_days(connection, lake, periods, zones, instead)
    dimensions = connection.execute("select distinct dimension from all_actor_days order by 1").fetchall()
    parts = [_of_dimension(connection, name) for (name,) in dimensions]
    return pa.concat_tables(parts) if parts else _of_dimension(connection, "total")


def _of_dimension(connection: duckdb.DuckDBPyConnection, dimension: str) -> pa.Table:
    # A view cannot hold a parameter; the name comes from the table's own column.
    literal = "'" + dimension.replace("'", "''") + "'"
    for table in (ACTOR_DAYS, SESSION_DAYS):
        connection.execute(
            f"create or replace temp view {table.name} as from all_{table.name} where dimension = {literal}"
        )
    duckdb_sql.run(connection, "long_value", folder=FOLDER)
    return connection.sql(duckdb_sql.statement("long_metric_rows", FOLDER)).to_arrow_table()


def _use_days(
    connection: duckdb.DuckDBPyConnection,
    lake: Path,
    periods: Sequence[Period],
    zones: Mapping[str, ZoneInfo],
    instead: InsteadDays | None,
) -> None:
    days = [
        (number, day) for number, period in enumerate(periods) for day in calendar.days_of(period, zones[period.app_id])
    ]
    rows = [{"period_id": number, "app_id": day.app_id, "local_date": day.local_date} for number, day in days]
    connection.register("long_day_rows", pa.Table.from_pylist(rows, schema=_LONG_DAY))
    connection.execute("create or replace temp table long_day as from long_day_rows")
    connection.unregister("long_day_rows")
    wanted = {(day.app_id, day.local_date) for _, day in days}
    elsewhere = wanted & instead.days if instead is not None else frozenset()
    for table in (ACTOR_DAYS, SESSION_DAYS):
        paths = _files_of(LakeTable(lake, table), wanted - elsewhere)
        if instead is not None:
            paths += _files_of(LakeTable(instead.lake, table), elsewhere)
        use_day_files(connection, paths, table, f"all_{table.name}")


def _files_of(table: LakeTable, days: Set[tuple[str, date]]) -> list[str]:
    snapshot = table.snapshot()
    if snapshot.files.num_rows == 0:
        return []
    rows = snapshot.files.select(["path", "partition.app_id", "partition.local_date"]).to_pylist()
    found = (row["path"] for row in rows if (row["partition.app_id"], row["partition.local_date"]) in days)
    return snapshot.locate(sorted(found))
