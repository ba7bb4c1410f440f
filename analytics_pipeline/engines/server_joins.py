"""Which sessions the events of servers join, in periods that are computed from the lake.

A server's event opens no session: it joins one that may have begun hours before its period, or begin after it. So the
period's own events do not tell; the lake's days of sessions do, as far as they are computed. What clients have sent
since is taken from the period itself. Once these days are computed, the refresh of days looks whether its sessions are
those that the period was counted by (`join_numbers`), and asks for the period again where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import pyarrow.compute as pc

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis.day_tables import use_day_files
from eventmill.lake import SESSIONS, LakeTable, Snapshot

# Sessions of a day's events began on it or on one of the two days before, or begin on the day after.
_DAYS_AROUND = [timedelta(days=days) for days in (-2, -1, 0, 1)]
_NOBODY = (
    "create or replace temp table server_join as"
    " select *, null::bigint as started_us, false as is_own from server_event"
)


@dataclass(frozen=True, slots=True)
class ServerJoins:
    """`numbers` by the index of the period, of those that servers sent events with a session's id in; `files` read."""

    numbers: dict[int, int]
    files: frozenset[str]


def find(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, periods: Sequence[Period]) -> ServerJoins:
    """Make `server_join`, for the events of `unique_events` that lie in `wanted`, which are `periods`."""
    duckdb_sql.run(connection, "server_events")
    indices = connection.execute("select distinct period_id from server_event").fetchall()
    if not indices:
        connection.execute(_NOBODY)
        return ServerJoins({}, frozenset())
    files = session_files(snapshot, [periods[index] for (index,) in indices])
    use_day_files(connection, sorted(files), SESSIONS, "known_session")
    duckdb_sql.run(connection, "session_spans", "server_joins")
    if connection.execute("select 1 from server_join where started_us is null limit 1").fetchone() is not None:
        duckdb_sql.run(connection, "unknown_spans", "server_joins")
    numbers = connection.execute(duckdb_sql.statement("join_numbers")).fetchall()
    return ServerJoins(dict(numbers), files)


def session_files(snapshot: Snapshot, periods: Sequence[Period]) -> frozenset[str]:
    """Files of the lake's sessions that can be those of events in `periods`, as the table is now."""
    table = LakeTable(snapshot.directory.parent, SESSIONS)
    if not table.exists():
        return frozenset()
    sessions = table.snapshot()
    if sessions.files.num_rows == 0:
        return frozenset()
    # An hour's or day's first date: neither has a second one.
    dates = {period.local_date + days for period in periods for days in _DAYS_AROUND}
    apps = {period.app_id for period in periods}
    near = pc.field("partition.local_date").isin(sorted(dates)) & pc.field("partition.app_id").isin(sorted(apps))
    return frozenset(sessions.locate(sessions.files.filter(near)["path"].to_pylist()))
