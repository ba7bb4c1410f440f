"""The lake tables that are computed per local day, as temporary views of a DuckDB connection."""

from collections.abc import Sequence
from datetime import date

import duckdb
import pyarrow.compute as pc

from eventmill.lake import LakeTable, TableDefinition


def use_day_table(
    connection: duckdb.DuckDBPyConnection,
    table: LakeTable,
    first: date | None = None,
    last: date | None = None,
    app_ids: Sequence[str] | None = None,
    view: str | None = None,
) -> int:
    """Make the table's name, or `view`, a view of its rows of the local dates from `first` to `last`, both included.

    `None` sets no bound; `app_ids` leaves out files of other apps. Returns the version of the table that it shows.
    """
    snapshot = table.snapshot()
    files = snapshot.files
    if files.num_rows and first is not None:
        files = files.filter(pc.field("partition.local_date") >= first)
    if files.num_rows and last is not None:
        files = files.filter(pc.field("partition.local_date") <= last)
    if files.num_rows and app_ids is not None:
        files = files.filter(pc.field("partition.app_id").isin(list(app_ids)))
    paths = snapshot.locate(sorted(files["path"].to_pylist())) if files.num_rows else []
    use_day_files(connection, paths, table.definition, view)
    return snapshot.version


def use_day_files(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], definition: TableDefinition, view: str | None = None
) -> None:
    """Make the definition's name, or `view`, a view of `paths`, files of that table; of no rows without any."""
    name = view or definition.name
    if not paths:
        connection.register(f"no_{name}", definition.columns.empty_table())
        connection.execute(f"create or replace temp view {name} as from no_{name}")
        return
    # A view cannot hold a parameter; the paths are our own, and quoted all the same.
    literals = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    connection.execute(
        f"create or replace temp view {name} as select {', '.join(definition.columns.names)} from"
        f" read_parquet([{literals}], hive_partitioning = true,"
        " hive_types = {'local_date': date, 'app_id': varchar})"
    )
