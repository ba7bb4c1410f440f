"""Counts every cut of periods: the statements that exact and kept computations share, in their order."""

import duckdb

from analytics_pipeline.engines import duckdb_sql

_SHARED = ("combo", "cut_name", "cut_key", "cut_loose")


def gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `counted` and the `fresh_…` tables of the events in `actor_events` that lie in `wanted`.

    `server_session` tells the sessions of what servers send.
    """
    duckdb_sql.run(connection, "combos", "counted", "fresh_keys")


def are_distinct(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether no two ids, combinations or cuts of `actor_events` share a number."""
    ((shared,),) = connection.execute(duckdb_sql.statement("shared_numbers")).fetchall()
    return int(shared) == 0


def count_fresh(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `result` of the `fresh_…` tables."""
    for name, fresh in zip(_SHARED, ("combo", "cut", "key", "loose"), strict=True):
        connection.execute(f"create or replace temp view {name} as from fresh_{fresh}")
    duckdb_sql.run(connection, "cut_counts", "runs", "cut_totals", "ranked", "others", "other_totals", "result")
