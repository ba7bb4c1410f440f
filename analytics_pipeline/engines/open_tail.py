"""Rows of the lake that are newer than the kept state, without copies of events that it has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import arrivals, duckdb_sql, files
from eventmill.analysis import relations
from eventmill.lake import Snapshot

_HOME = "event_date + to_hours(event_hour)"


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies left out (app_id, home_hour, received_hour, events), and the home hours of which these are all."""

    rows: pa.Table
    homes: Sequence[datetime]


def read(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, since: int) -> int:
    """Make `tail` the rows stored after stream sequence `since`, and return their number."""
    relations.use_lake(connection, files.files_after(snapshot, since), name="tail_files")
    connection.execute(
        f"create or replace temp table tail as select {duckdb_sql.COLUMNS}, {_HOME} as home"
        " from tail_files where stream_seq > $1",
        [since],
    )
    ((rows,),) = connection.execute("select count(*) from tail").fetchall()
    return int(rows)


def leave_out_copies(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, since: int) -> None:
    """Make `tail_first` the events of `tail` that are no copies, in home hours that matter for `wanted`."""
    homes = connection.execute(
        "select distinct home from tail semi join wanted on tail.app_id = wanted.app_id"
        " and event_time >= period_start and event_time < period_end"
        " where home not in (from covered_home)"
    ).fetchall()
    for (home,) in homes:
        _cover(connection, snapshot, home, since)
    duckdb_sql.run(connection, "open_tail")


def _cover(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, home: datetime, since: int) -> None:
    """Remember the ids of a home hour's rows that were in the lake before."""
    relations.use_lake(connection, files.files_of_home(snapshot, (home.date(), home.hour)), name="home_files")
    connection.execute(f"create or replace temp view lake as select * from home_files where stream_seq <= {int(since)}")
    connection.execute(
        "insert into seen select distinct $1::timestamp, event_number($1::timestamp, app_id, event_id) from lake",
        [home],
    )
    connection.execute(relations.statement("copies"))
    connection.execute(f"insert into left_out {duckdb_sql.statement('later_copies')}")
    connection.execute("insert into covered_home values ($1)", [home])


def kept_copies(connection: duckdb.DuckDBPyConnection, *, all_homes: bool) -> Copies:
    """Copies of the covered home hours that have new rows, or of all of them."""
    news = "" if all_homes else " semi join tail using (home)"
    homes = connection.execute(f"select home from covered_home{news}").fetchall()
    copies = arrivals.copies_of(connection, f"from left_out semi join (from covered_home{news}) using (home)")
    return Copies(copies, [home.replace(tzinfo=UTC) for (home,) in homes])


def copies_of_uncovered(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, start: datetime, end: datetime
) -> Copies:
    """Copies in `lake`, which holds all home hours that meet the range, but for covered ones: the state keeps those."""
    found = f"from ({duckdb_sql.statement('later_copies')}) anti join covered_home using (home)"
    covered = {home for (home,) in connection.execute("from covered_home").fetchall()}
    homes = [home for home in files.homes_meeting(snapshot, start, end) if home.replace(tzinfo=None) not in covered]
    return Copies(arrivals.copies_of(connection, found), homes)
