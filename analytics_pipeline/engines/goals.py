"""Which events reach which goal, and the rows of `rollups.goal_metric` that follow."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.engines.sessions import use_session_events
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis.filter_sql import to_sql
from eventmill.analysis.filters import EventFilter
from eventmill.lake import Snapshot

FOLDER = "goals"
# A session that begins on a day ends on one of the two after it.
_DAYS_OF_A_SESSION = 3
# App, id of the goal, its filter.
Goal = tuple[str, str, EventFilter]


def goal_rows(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    days: Sequence[Period],
    goals: Sequence[Goal],
    zones: Mapping[str, ZoneInfo],
) -> pa.Table:
    """Rows for `days`; `goals` are those of their apps, at least one."""
    read = days_with_sessions(days, zones)
    use_session_events(connection, snapshot, read, zones)
    return rows_of(connection, read, days, goals)


def days_with_sessions(days: Sequence[Period], zones: Mapping[str, ZoneInfo]) -> list[Period]:
    """`days` and those on which their sessions can go on, ascending by app."""
    return sorted(
        {
            calendar.day(day.app_id, zones[day.app_id], day.local_date + timedelta(days=offset))
            for day in days
            for offset in range(_DAYS_OF_A_SESSION)
        },
        key=lambda day: (day.app_id, day.start),
    )


def rows_of(
    connection: duckdb.DuckDBPyConnection, read: Sequence[Period], days: Sequence[Period], goals: Sequence[Goal]
) -> pa.Table:
    """As `goal_rows`, of the relations `session_events` and `session_row` that were made of the days in `read`."""
    wanted = set(days)
    rows = [
        {"period_id": number, "period_start": day.start, "local_date": day.local_date}
        for number, day in enumerate(read)
        if day in wanted
    ]
    connection.register("goal_day_rows", pa.Table.from_pylist(rows))
    connection.execute("create or replace temp table goal_day as from goal_day_rows")
    connection.unregister("goal_day_rows")
    _reach(connection, goals)
    return connection.sql(duckdb_sql.statement("goal_rows", FOLDER)).to_arrow_table()


def _reach(connection: duckdb.DuckDBPyConnection, goals: Sequence[Goal]) -> None:
    """`goal_event`: each event once for every goal that it reaches and every traffic that it belongs to."""
    conditions = [(app_id, goal_id, *to_sql(event_filter)) for app_id, goal_id, event_filter in goals]
    anything = " or ".join(f"(app_id = ? and {condition})" for _, _, condition, _ in conditions)
    connection.execute(
        f"create or replace temp table goal_candidate as from session_events where {anything}",
        [value for app_id, _, _, parameters in conditions for value in (app_id, *parameters)],
    )
    connection.execute(
        "create or replace temp table goal_event (goal_id varchar, app_id varchar, period_id bigint,"
        " session_key varchar, traffic varchar, actor varchar)"
    )
    for app_id, goal_id, condition, parameters in conditions:
        connection.execute(
            "insert into goal_event select ?, app_id, period_id, session_key, traffic, actor from goal_candidate"
            f" where app_id = ? and {condition}",
            [goal_id, app_id, *parameters],
        )
