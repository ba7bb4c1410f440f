"""Keeps the lake's identity map: the pairs of an anonymous id and a user that some event holds together.

Every refresh brings it up to date first, at the cost of what is new, and so counts with the pairs of the events that it
reads. The map's own transaction says up to which stream sequence the events were looked at.
"""

import duckdb

from analytics_pipeline.engines import duckdb_sql, files
from eventmill.analysis import relations
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, Transaction
from eventmill.lake import IDENTITY_MAP, LakeTable, Snapshot

_CURSOR = "identity"
# Rows without a new pair that may be read again, rather than moving the cursor by a commit of its own.
_ROWS_TO_REREAD = 200_000


def cursor(pairs: Snapshot) -> int:
    """Stream sequence up to which the events' pairs are in the map; -1 where nobody has looked yet."""
    return pairs.transactions.get(_CURSOR, -1)


def update(connection: duckdb.DuckDBPyConnection, events: Snapshot) -> Snapshot:
    """Add the pairs that the events of a snapshot hold, and return the map as it then is."""
    table = LakeTable(events.directory.parent, IDENTITY_MAP)
    table.create()
    while True:
        pairs = table.snapshot([_CURSOR])
        try:
            if not _add(connection, events, table, pairs):
                return pairs
        except CommitConflictError:
            continue  # somebody else added some: look again


def _add(connection: duckdb.DuckDBPyConnection, events: Snapshot, table: LakeTable, pairs: Snapshot) -> bool:
    """Commit what is missing in `pairs`; false where nothing is."""
    since, through = cursor(pairs), files.last_stream_seq(events) or 0
    if through <= since:
        return False
    relations.prepare(connection)
    relations.use_lake(connection, files.files_after(events, since), name="newer_files")
    connection.execute(f"create or replace temp view newer as select * from newer_files where stream_seq > {since}")
    relations.use_pairs(connection, files.all_files(pairs))
    fresh = connection.sql(duckdb_sql.statement("fresh_pairs", "identity")).to_arrow_table()
    if not fresh.num_rows and since >= 0 and _rows_after(events, since) < _ROWS_TO_REREAD:
        return False
    rows = fresh.cast(IDENTITY_MAP.columns)
    adds = [write_data_file(table.directory, rows, {}, IDENTITY_MAP.statistics)] if rows.num_rows else []
    table.append(Commit(adds=adds, transaction=Transaction(_CURSOR, through)), pairs.version)
    return True


def _rows_after(events: Snapshot, stream_seq: int) -> int:
    rows = events.files.select(["num_records", "max.stream_seq"]).to_pylist()
    return sum(row["num_records"] for row in rows if (row["max.stream_seq"] or 0) > stream_seq)
