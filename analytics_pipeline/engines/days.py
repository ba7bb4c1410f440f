"""What follows from the events of local days: rows of the lake tables per day, session metrics and revenue."""

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from analytics_pipeline.engines import duckdb_sql, sessions
from analytics_pipeline.engines.sessions import FOLDER
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill import lake
from eventmill.contracts.schema import INSTANT
from eventmill.contracts.visitors import DAILY_ACTOR_PREFIX
from eventmill.lake import Snapshot, TableDefinition

_STEPS = ("dimension_event", "actor_day", "session_day", "actor_first_row")
_WANTED_PERIOD = pa.schema(
    [
        ("wanted_id", pa.int64()),
        ("day_id", pa.int64()),
        ("app_id", pa.string()),
        ("grain", pa.string()),
        ("period_start", INSTANT),
        ("period_end", INSTANT),
        ("local_date", pa.date32()),
        ("local_hour", pa.int16()),
        ("utc_offset_minutes", pa.int16()),
    ]
)
# The relation behind each lake table, and the order of its rows. Where the first column is the dimension, each
# dimension gets row groups of its own: a reader of one passes over the others.
_LAKE_ROWS: dict[str, tuple[str, str]] = {
    lake.SESSIONS.name: ("session_row", "started_at, session_key, traffic"),
    lake.ACTOR_DAYS.name: ("actor_day", "dimension, value_kind, value, actor"),
    lake.SESSION_DAYS.name: ("session_day", "dimension, value_kind, value, session_key, traffic"),
    lake.ACTOR_FIRST.name: ("actor_first_row", "event_type, actor, is_human"),
}


def compute(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, days: Sequence[Period], zones: Mapping[str, ZoneInfo]
) -> None:
    """Compute everything about `days`; `lake_rows`, `session_metric_rows` and `revenue_rows` hand it out."""
    sessions.use_session_events(connection, snapshot, days, zones)
    derive(connection, days, zones)


def derive(connection: duckdb.DuckDBPyConnection, days: Sequence[Period], zones: Mapping[str, ZoneInfo]) -> None:
    """As `compute`, where the sessions of `days` have been found."""
    periods = [(number, period) for number, day in enumerate(days) for period in periods_of(day, zones)]
    rows = [
        {
            "wanted_id": wanted_id,
            "day_id": day_id,
            "app_id": period.app_id,
            "grain": period.grain,
            "period_start": period.start,
            "period_end": period.end,
            "local_date": period.local_date,
            "local_hour": period.local_hour,
            "utc_offset_minutes": period.utc_offset_minutes,
        }
        for wanted_id, (day_id, period) in enumerate(periods)
    ]
    connection.register("wanted_period_rows", pa.Table.from_pylist(rows, schema=_WANTED_PERIOD))
    connection.execute("create or replace temp table wanted_period as from wanted_period_rows")
    connection.unregister("wanted_period_rows")
    duckdb_sql.run(connection, *_STEPS, folder=FOLDER)


def periods_of(day: Period, zones: Mapping[str, ZoneInfo]) -> list[Period]:
    """A day and its hours: the periods of which Postgres has session metrics and revenue."""
    return [day, *calendar.hours_starting_in(day.app_id, zones[day.app_id], day.start, day.end)]


def session_metric_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of `rollups.session_metric` of the computed days and their hours."""
    return connection.sql(duckdb_sql.statement("session_metric_rows", FOLDER)).to_arrow_table()


def revenue_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of `rollups.revenue` of the computed days and their hours."""
    return connection.sql(duckdb_sql.statement("revenue_rows", FOLDER)).to_arrow_table()


def server_joins(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """By the index of each computed day or hour, in the order of `periods_of`: which sessions servers' events join."""
    return dict(connection.execute(duckdb_sql.statement("server_joins", FOLDER)).fetchall())


def daily_visitor_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of `rollups.daily_visitor` of the computed days; a day without such visitors has none."""
    connection.execute(f"set variable daily_prefix = '{DAILY_ACTOR_PREFIX}'")
    return connection.sql(duckdb_sql.statement("daily_visitor_rows", FOLDER)).to_arrow_table()


def lake_rows(connection: duckdb.DuckDBPyConnection, definition: TableDefinition, period_id: int) -> Iterator[pa.Table]:
    """Rows of one of the lake's day tables for the computed day `period_id`, sorted, a table for each row group."""
    relation, order = _LAKE_ROWS[definition.name]
    columns = ", ".join(definition.file_columns.names)
    query = f"select {columns} from {relation} where period_id = $1 order by {order}"
    rows = connection.sql(query, params=[period_id]).to_arrow_table()
    if order.startswith("dimension"):
        yield from _by_dimension(rows)
    else:
        yield rows


def _by_dimension(rows: pa.Table) -> Iterator[pa.Table]:
    start = 0
    for run in pc.value_counts(rows["dimension"].combine_chunks()).to_pylist():
        yield rows.slice(start, run["counts"])
        start += run["counts"]
