"""The relations that every computation starts from, as temporary views of a DuckDB connection.

`lake`: the rows of Parquet files of the table `events`. `identity_map`: the pairs of ids seen together. From both,
`actor_events`: the counted events (copies left out) with the actor behind each. It has the columns of the lake and

- `place` (bigint): the order in which the stream stored them;
- `actor` (text): 'u' and the user's id, 'a' and the anonymous id, or 's' and the session's, after stitching;
- `actor_user_id`: the user's id, also the one that the anonymous id was stitched to; null where there is none;
- `is_view`: whether it is a page view or a screen view.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from eventmill.contracts.schema import EVENTS_SCHEMA, IDENTITY_MAP_SCHEMA

_HOME_HOUR = ", hive_partitioning = true, hive_types = {'event_date': date, 'event_hour': integer}"


@cache
def statement(name: str) -> str:
    """Text of `eventmill/analysis/sql/<name>.sql`."""
    return (files("eventmill.analysis") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def definition_text() -> str:
    """All SQL of this package: a part of what every number is defined by."""
    names = sorted(entry.name for entry in (files("eventmill.analysis") / "sql").iterdir())
    return "\n".join(statement(name[:-4]) for name in names if name.endswith(".sql"))


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the time zone to UTC and define the macros of this package."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(statement("macros"))


def use_lake(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], name: str = "lake") -> None:
    """Make `name` a view of data files of the table `events`, all its columns; of none where `paths` is empty."""
    _use_files(connection, paths, name, EVENTS_SCHEMA, _HOME_HOUR)


def use_identities(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Make `identity_map` a view of its data files, and `stitched` the anonymous ids that belong to one user."""
    use_pairs(connection, paths)
    connection.execute(statement("stitched"))


def use_pairs(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Make `identity_map` a view of its data files."""
    _use_files(connection, paths, "identity_map", IDENTITY_MAP_SCHEMA)


def use_actor_events(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view `actor_events` of `lake` and `stitched`: `prepare`, `use_lake`, `use_identities` come first.

    The files in `lake` must hold every home hour whole that an event in question belongs to.
    """
    for name in ("copies", "unique_events", "actor_events"):
        connection.execute(statement(name))


def _use_files(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], name: str, schema: pa.Schema, partitions: str = ""
) -> None:
    if not paths:
        connection.register(f"no_{name}", schema.empty_table())
        connection.execute(f"create or replace temp view {name} as from no_{name}")
        return
    # A view cannot hold a parameter; the paths are our own, and quoted all the same.
    literals = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    rows = f"read_parquet([{literals}], union_by_name = true{partitions})"
    try:
        _view(connection, name, schema, rows)
    except duckdb.BinderException:
        _use_older_files(connection, rows, name, schema)


def _use_older_files(connection: duckdb.DuckDBPyConnection, rows: str, name: str, schema: pa.Schema) -> None:
    """As `_use_files`, where no file has all columns yet: those that are missing are null."""
    connection.register(f"no_{name}", schema.empty_table())
    _view(connection, name, schema, f"(from no_{name} union all by name from {rows})")


def _view(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: str) -> None:
    columns = ", ".join(schema.names)
    connection.execute(f"create or replace temp view {name} as select {columns} from {rows}")
