"""Resources of the code location."""

from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from analytics_pipeline.engines.connection import connection_config
from analytics_pipeline.refresh import Refresher
from eventmill.settings import Settings, load_settings


class LakeEngine(dg.ConfigurableResource):
    """DuckDB over the lake: in memory for exact computations, in a file for the key sets of open periods."""

    memory: DuckDBResource

    def refresher(self) -> Refresher:
        """The one path that brings rollups up to date."""
        return Refresher(load_settings(), self.memory.get_connection, self._file)

    @contextmanager
    def _file(self, path: Path):
        resource = DuckDBResource(database=str(path), connection_config=self.memory.connection_config)
        # Dagster's resource leaves the file open after an error.
        with resource.get_connection() as connection, closing(connection):
            yield connection


def lake_engine(settings: Settings) -> LakeEngine:
    """The engine with the limits of these settings."""
    return LakeEngine(memory=DuckDBResource(database=":memory:", connection_config=connection_config(settings)))
