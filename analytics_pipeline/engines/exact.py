"""Computes periods from scratch, exactly, from the files in which their events can lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import arrivals, cuts, duckdb_sql, identities, server_joins
from analytics_pipeline.engines.arrivals import Arrivals
from analytics_pipeline.engines.files import all_files, files_meeting, homes_meeting
from analytics_pipeline.engines.server_joins import ServerJoins
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.errors import EventmillError
from eventmill.lake import Snapshot

# Ids in question share one of 2^64 numbers once in many thousand years of refreshes.
_SALTS = 8


class NumberingError(EventmillError):
    """Different ids share a number however they are numbered: something is wrong with the numbers."""


@dataclass(frozen=True, slots=True)
class Computed:
    """All rows of the periods that were computed; `arrivals` where hours were among them."""

    rows: pa.Table
    joins: ServerJoins
    arrivals: Arrivals | None = None


def metric_rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, periods: Sequence[Period]) -> Computed:
    """Rows of `rollups.metric` for `periods`; a period without events has none."""
    start, end = _select(connection, snapshot, periods)
    relations.use_actor_events(connection)
    joins = server_joins.find(connection, snapshot, periods)
    _gather(connection)
    cuts.count_fresh(connection)
    rows = connection.sql(duckdb_sql.statement("metric_rows")).to_arrow_table()
    if all(period.grain == "day" for period in periods):
        return Computed(rows, joins)
    return Computed(rows, joins, arrivals.read_exactly(connection, homes_meeting(snapshot, start, end)))


def _gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Take numbers for ids that no two of them share, so that counting numbers is exact."""
    for salt in range(_SALTS):
        duckdb_sql.use_salt(connection, salt)
        duckdb_sql.run(connection, "server_sessions")
        cuts.gather(connection)
        if cuts.are_distinct(connection):
            return
    raise NumberingError(f"No {_SALTS} ways to number the ids tell all of them apart.")


def distinct_events(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, periods: Sequence[Period]) -> list[int]:
    """Number of distinct events in each of `periods`, counted apart from the rollups' own statements."""
    _select(connection, snapshot, periods)
    counts = connection.execute(
        "with firsts as (select app_id, arg_min(event_time, (stream_seq, row_no)) as event_time from lake"
        " group by app_id, event_date, event_hour, event_id)"
        " select wanted.period_id, count(*) from firsts inner join wanted on firsts.app_id = wanted.app_id"
        " and event_time >= period_start and event_time < period_end group by all"
    ).fetchall()
    found = {int(period_id): int(events) for period_id, events in counts}
    return [found.get(period_id, 0) for period_id in range(len(periods))]


def _select(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, periods: Sequence[Period]
) -> tuple[datetime, datetime]:
    start, end = min(period.start for period in periods), max(period.end for period in periods)
    duckdb_sql.prepare(connection)
    relations.use_lake(connection, files_meeting(snapshot, start, end))
    relations.use_identities(connection, all_files(identities.update(connection, snapshot)))
    duckdb_sql.want(connection, list(enumerate(periods)))
    return start, end
