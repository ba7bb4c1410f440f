"""The kept numbers and keys of open periods: adds new events, follows who is who, and hands rows out."""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import cuts, duckdb_sql
from eventmill.analysis import relations
from eventmill.lake import Snapshot

_MAPPED_KEYS = (
    "select events.* replace (coalesce(mapping.user_actor, events.actor) as actor,"
    " events.is_user or mapping.user_actor is not null as is_user,"
    " case when coalesce(opening.is_opened, true) then events.session else 0 end as session,"
    " case when coalesce(opening.is_opened_by_human, true) then events.session else 0 end as human_session)"
    " from fresh_key as events left join mapping using (actor)"
    " left join whole_opening as opening using (period_id, session)"
)
_MAPPED_LOOSE = (
    "select events.* replace (coalesce(mapping.user_actor, events.actor) as actor)"
    " from fresh_loose as events left join mapping using (actor)"
)


@dataclass(frozen=True, slots=True)
class Handed:
    """Rows of `rollups.metric`, keys of rows that are none any more, and rows of `rollups.counted_arrival`."""

    rows: pa.Table
    gone: pa.Table
    counted: pa.Table


def use_events_as_named(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `actor_events` of `unique_events`, with the actors that the events themselves name."""
    connection.execute("create or replace temp table stitched (app_id varchar, anonymous_id varchar, user_id varchar)")
    connection.execute(relations.statement("actor_events"))


def read_pairs(connection: duckdb.DuckDBPyConnection, pairs: Snapshot, since: int) -> None:
    """Make `fresh_pair` the pairs of the identity map first seen after stream sequence `since`."""
    paths: list[str] = []
    if pairs.files.num_rows:
        rows = pairs.files.select(["path", "max.stream_seq"]).to_pylist()
        paths = pairs.locate([row["path"] for row in rows if row["max.stream_seq"] > since])
    relations.use_pairs(connection, paths)
    connection.execute(
        "create or replace temp table fresh_pair as select key_of(app_id, 'a' || anonymous_id) as actor,"
        " key_of(app_id, 'u' || user_id) as user_actor from identity_map where stream_seq > $1",
        [since],
    )


def add_tail(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the events in `tail_first` that lie in `wanted`, and what `fresh_pair` says."""
    connection.execute("create or replace temp view unique_events as from tail_first")
    connection.execute("create or replace temp view lake as from tail_first")
    use_events_as_named(connection)
    duckdb_sql.run(connection, "open_pairs", "open_server_sessions")
    cuts.gather(connection)
    duckdb_sql.run(connection, "open_names", "cut_counts", "open_values", "open_merge")
    _add_arrivals(connection)


def add_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the periods in `wanted` with all of their events, those in `unique_events`."""
    use_events_as_named(connection)
    duckdb_sql.run(connection, "open_server_sessions")
    cuts.gather(connection)
    duckdb_sql.run(connection, "open_names", "cut_counts", "open_whole_opening")
    _use_keys(connection)
    duckdb_sql.run(connection, "runs", "cut_totals", "ranked", "others", "open_add")
    _add_arrivals(connection)


def _add_arrivals(connection: duckdb.DuckDBPyConnection) -> None:
    duckdb_sql.run(connection, "arrived", "open_arrivals")


def _use_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `cut_key` and `cut_loose` of the new keys: with the persons behind the actors, and sessions that count."""
    connection.execute(f"create or replace temp view cut_key as {_MAPPED_KEYS}")
    connection.execute(f"create or replace temp view cut_loose as {_MAPPED_LOOSE}")


def rows(connection: duckdb.DuckDBPyConnection, whole: list[int]) -> Handed:
    """What changed in the periods in `wanted`, and all of those in `whole`."""
    connection.execute(
        "create or replace temp table whole_period as select unnest($1::bigint[]) as period_id",
        [whole],
    )
    duckdb_sql.run(connection, "open_result")
    found = connection.sql(duckdb_sql.statement("metric_rows")).to_arrow_table()
    gone = connection.sql(duckdb_sql.statement("gone_rows")).to_arrow_table()
    connection.execute(
        "create or replace temp table arrived as from open_arrival"
        " where period_id in (from whole_period) or period_id in (from changed_arrival)"
    )
    return Handed(found, gone, connection.sql(duckdb_sql.statement("arrival_rows")).to_arrow_table())
