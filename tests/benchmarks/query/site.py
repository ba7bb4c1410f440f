"""What is asked: a lake of visits with its day tables, and the parts of the query service that read it."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import psycopg
from prometheus_client import CollectorRegistry

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.lib import calendar
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from eventmill.control.apps import create_app
from eventmill.lake import EVENTS, LakeTable, create_tables, lake_directory
from eventmill.settings import Settings
from query_service.lake.service import Lake
from query_service.query.model import Tenant
from tests.benchmarks.ingest.room import TEMPLATE, Room, VoidRunError
from tests.benchmarks.query import visits
from tests.benchmarks.query.scale import Scale
from tests.databases import drop_database

UTC = ZoneInfo("UTC")
NOW = visits.END - timedelta(minutes=1)
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class QuerySite:
    """Settings of a home with the lake, and how many events are in it."""

    settings: Settings
    events: int

    @property
    def tenant(self) -> Tenant:
        """The app with most of the events."""
        return Tenant(visits.APPS[0], UTC)

    @property
    def now(self) -> datetime:
        """The clock of the questions."""
        return NOW

    def asked(self, ask: Callable[[Lake], Coroutine[Any, Any, Found]]) -> Found:
        """What is found with workers that have been started and asked once."""

        async def run() -> Found:
            lake = Lake(self.settings, CollectorRegistry())
            lake.pool.start()
            try:
                return await ask(lake)
            finally:
                await lake.close()

        return asyncio.run(run())


@contextmanager
def open_site(room: Room, scale: Scale) -> Iterator[QuerySite]:
    """A fresh lake; its days are computed as the pipeline does."""
    home = Path(mkdtemp(prefix="query-", dir=room.directory))
    name = home.name.replace("-", "_").lower()
    with psycopg.connect(room.postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        address = room.postgres.address(name)
        settings = Settings(home=home, database_url=address, duckdb_memory_limit="4GB", log_level="warning")
        with psycopg.connect(address, autocommit=True) as own:
            for app_id in visits.APPS:
                create_app(own, app_id, app_id=app_id)
        create_tables(settings)
        try:
            stored = visits.fill(LakeTable(lake_directory(settings), EVENTS), scale.days, scale.events)
            _compute_days(settings, scale.days)
            yield QuerySite(settings, stored)
        finally:
            drop_database(connection, name)
            shutil.rmtree(home)


def _compute_days(settings: Settings, days: int) -> None:
    opened = partial(connect, settings)
    refresher = Refresher(settings, opened, opened, lambda: NOW + timedelta(days=3))
    for number in range(days):
        date = (visits.END - timedelta(days=days - number)).date()
        periods = [calendar.day(app_id, UTC, date) for app_id in visits.APPS]
        refresh_days(refresher, periods)


def expect(found: object, expected: object, what: str) -> None:
    """End the benchmark where an answer is wrong."""
    if found != expected:
        raise VoidRunError(f"{what}: {found} instead of {expected}")
