"""How a DuckDB connection of this program is set up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from eventmill.settings import Settings


def connection_config(settings: Settings) -> dict[str, Any]:
    """Limits of every DuckDB process: memory, threads, a place to spill to, no network."""
    spill = settings.state_dir / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    return {
        "memory_limit": settings.duckdb_memory_limit,
        "threads": settings.duckdb_threads,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


@contextmanager
def connect(settings: Settings, database: Path | str = ":memory:") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database, in memory unless a file is named."""
    connection = duckdb.connect(str(database), config=connection_config(settings))
    try:
        yield connection
    finally:
        connection.close()
