"""One run's home, database and lake, and a refresher with a clock that stands still."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill.control.apps import create_app
from eventmill.lake import EVENTS, LakeTable, create_tables, lake_directory
from eventmill.settings import Settings
from tests.benchmarks.ingest.room import TEMPLATE, Room
from tests.benchmarks.transform.scale import Scale
from tests.databases import drop_database

APP = "shop"
HOUR = datetime(2026, 5, 12, 10, tzinfo=UTC)


@dataclass
class Site:
    """Where a figure is measured. `now` is the refresher's present."""

    settings: Settings
    now: datetime = HOUR + timedelta(minutes=50)

    @property
    def table(self) -> LakeTable:
        """The lake's events."""
        return LakeTable(lake_directory(self.settings), EVENTS)

    @property
    def refresher(self) -> Refresher:
        """A refresher of this site."""
        opened = partial(connect, self.settings)
        return Refresher(self.settings, opened, opened, lambda: self.now)

    def execute(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query in Postgres; none where it gives none."""
        with psycopg.connect(str(self.settings.database_url), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def open_site(room: Room, scale: Scale, memory: str | None = None) -> Iterator[Site]:
    """A fresh site with the app `shop` and an empty lake."""
    home = Path(mkdtemp(prefix="transform-", dir=room.directory))
    name = home.name.replace("-", "_").lower()
    with psycopg.connect(room.postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        address = room.postgres.address(name)
        settings = Settings(
            home=home,
            database_url=address,
            duckdb_memory_limit=memory or scale.memory,
            duckdb_threads=scale.threads,
            log_level="warning",
        )
        with psycopg.connect(address, autocommit=True) as own:
            create_app(own, APP, app_id=APP)
        create_tables(settings)
        try:
            yield Site(settings)
        finally:
            drop_database(connection, name)
            shutil.rmtree(home)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
