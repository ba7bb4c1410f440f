"""The SQL files of this package on a DuckDB connection, and the relations they expect."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.contracts.schema import EVENTS_SCHEMA

_WANTED_SCHEMA = pa.schema(
    [
        ("period_id", pa.int64()),
        ("app_id", pa.string()),
        ("grain", pa.string()),
        ("period_start", pa.timestamp("us", tz="UTC")),
        ("period_end", pa.timestamp("us", tz="UTC")),
        ("local_date", pa.date32()),
        ("local_hour", pa.int16()),
        ("utc_offset_minutes", pa.int16()),
    ]
)
# So many values of a dimension are told apart in a period, those with the most events; the rest is one row, `other`.
KEPT_VALUES = 1000
COLUMNS = ", ".join(EVENTS_SCHEMA.names)


@cache
def statement(name: str, folder: str = "metric") -> str:
    """Text of `sql/<folder>/<name>.sql`."""
    return (files("analytics_pipeline") / "sql" / folder / f"{name}.sql").read_text(encoding="utf-8")


@cache
def definition_version(folder: str = "metric") -> str:
    """Hash of all SQL behind the tables of a folder: numbers with another one were computed by another definition."""
    names = sorted(entry.name for entry in (files("analytics_pipeline") / "sql" / folder).iterdir())
    texts = [statement(name[:-4], folder) for name in names if name.endswith(".sql")]
    parts = [relations.definition_text(), *texts, str(KEPT_VALUES)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macros."""
    relations.prepare(connection)
    use_salt(connection, 0)
    connection.execute(f"set variable kept_values = {KEPT_VALUES}")
    connection.execute(statement("macros"))


def use_salt(connection: duckdb.DuckDBPyConnection, salt: int) -> None:
    """Let other numbers stand for ids."""
    connection.execute(f"set variable salt = {int(salt)}")


def want(connection: duckdb.DuckDBPyConnection, periods: Sequence[tuple[int, Period]]) -> None:
    """Make `wanted` the periods, each with its id, that the statements compute."""
    rows = [
        {
            "period_id": period_id,
            "app_id": period.app_id,
            "grain": period.grain,
            "period_start": period.start,
            "period_end": period.end,
            "local_date": period.local_date,
            "local_hour": period.local_hour,
            "utc_offset_minutes": period.utc_offset_minutes,
        }
        for period_id, period in periods
    ]
    connection.register("wanted_rows", pa.Table.from_pylist(rows, schema=_WANTED_SCHEMA))
    connection.execute("create or replace temp table wanted as from wanted_rows")
    connection.unregister("wanted_rows")


def run(connection: duckdb.DuckDBPyConnection, *names: str, folder: str = "metric") -> None:
    """Execute statements in order."""
    for name in names:
        connection.execute(statement(name, folder))
