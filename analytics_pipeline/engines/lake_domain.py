"""Looks for rows of the lake that the contract does not allow."""

from collections.abc import Sequence

import duckdb
import pyarrow.compute as pc

from analytics_pipeline.engines import duckdb_sql
from eventmill.analysis import relations
from eventmill.lake import Snapshot

# Newest files that are read: the check costs the same however large the lake is.
MOST_FILES = 200


def broken_rows(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> list[tuple[str, str, int]]:
    """App, rule and number of rows that break it, in these files of `events`."""
    relations.prepare(connection)
    relations.use_lake(connection, paths)
    return connection.execute(duckdb_sql.statement("lake_domain", "watch")).fetchall()


def newest_files(snapshot: Snapshot, most: int = MOST_FILES) -> list[str]:
    """The files that hold what was stored last."""
    if snapshot.files.num_rows == 0:
        return []
    order = pc.sort_indices(snapshot.files, sort_keys=[("max.stream_seq", "descending")])
    return snapshot.locate(snapshot.files["path"].take(order[:most]).to_pylist())
