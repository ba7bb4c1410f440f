"""What is asked: a lake of visits with its rollups, and the services that answer."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
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
from analytics_pipeline.stores.lake_progress import note_progress
from eventmill.control.apps import create_app
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.ports import free_ports
from eventmill.lake import EVENTS, LakeTable, create_tables, lake_directory
from eventmill.settings import Settings
from query_service.lake.service import Lake
from query_service.query.model import Tenant
from tests.benchmarks.ingest.brokers import STREAM_BYTES
from tests.benchmarks.ingest.room import TEMPLATE, Room, Site, VoidRunError
from tests.benchmarks.query import visits
from tests.benchmarks.query.scale import Scale
from tests.databases import drop_database

UTC = ZoneInfo("UTC")
DAY = timedelta(days=1)
# As a backfill takes them.
DAYS_AT_ONCE = 7
# Apps of the live window: one with events, and one in which nothing happens.
BUSY, IDLE = "busy", "idle"
_RECEIVED = """
    insert into rollups.ingest_accounting
    select app_id, date_trunc('hour', %(now)s::timestamptz), 1, 1, 0, 0, 0, 0, %(now)s, 1, %(now)s
    from unnest(%(apps)s::text[]) as app_id
"""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class QuerySite:
    """A home with the lake, how many events are in it, the instant at which it ends, and a read key for each app."""

    site: Site
    events: int
    now: datetime
    keys: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Settings of every process of this site."""
        return self.site.settings

    @property
    def tenant(self) -> Tenant:
        """The app with most of the events."""
        return Tenant(visits.APPS[0], UTC)

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
def open_site(room: Room, broker: NatsServer, scale: Scale) -> Iterator[QuerySite]:
    """A fresh lake up to now; its rollups, day tables and marts are computed as the pipeline does."""
    home = Path(mkdtemp(prefix="query-", dir=room.directory))
    name = home.name.replace("-", "_").lower()
    now = datetime.now(UTC_ZONE).replace(microsecond=0)
    with psycopg.connect(room.postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        address = room.postgres.address(name)
        settings = _settings(home, broker, address)
        with psycopg.connect(address, autocommit=True) as own:
            issued = {app_id: create_app(own, app_id, app_id=app_id)[1] for app_id in (*visits.APPS, BUSY, IDLE)}
        site = Site(settings, issued[BUSY].write_key)
        create_tables(settings)
        try:
            stored = _fill(site, scale, now)
            yield QuerySite(site, stored, now, {app_id: keys.read_key for app_id, keys in issued.items()})
        finally:
            drop_database(connection, name)
            shutil.rmtree(home)


def _settings(home: Path, broker: NatsServer, address: str) -> Settings:
    http_port, flight_port, ingest_port = free_ports(3)
    return Settings(
        home=home,
        nats_url=f"nats://127.0.0.1:{broker.port}",
        nats_monitor_url=f"http://127.0.0.1:{broker.monitor_port}",
        database_url=address,
        http_port=http_port,
        flight_port=flight_port,
        ingest_port=ingest_port,
        stream_max_bytes=STREAM_BYTES,
        duckdb_memory_limit="4GB",
        query_requests_per_second=0,
        log_level="warning",
    )


def _fill(site: Site, scale: Scale, now: datetime) -> int:
    began = time.perf_counter()
    migrate = [sys.executable, "-m", "eventmill", "migrate"]
    subprocess.run(migrate, env=site.environment(), check=True, capture_output=True)
    stored = visits.fill(LakeTable(lake_directory(site.settings), EVENTS), scale.days, scale.events, now)
    filled = time.perf_counter()
    _compute(site.settings, scale.days, now)
    with psycopg.connect(str(site.settings.database_url), autocommit=True) as connection:
        connection.execute("vacuum (analyze) rollups.metric, rollups.session_metric, rollups.periods")
    took = f"the lake in {filled - began:.0f} s, its rollups in {time.perf_counter() - filled:.0f} s"
    print(f"prepared {stored:,} events: {took}", flush=True)
    return stored


def _compute(settings: Settings, days: int, now: datetime) -> None:
    """All days, and the hours of today; today counts as closed, so that it is computed as the others are."""
    opened = partial(connect, settings)
    refresher = Refresher(settings, opened, opened, lambda: now + 3 * DAY)
    dates = [(now - (days - 1 - number) * DAY).date() for number in range(days)]
    for first in range(0, days, DAYS_AT_ONCE):
        some = dates[first : first + DAYS_AT_ONCE]
        periods = [calendar.day(app_id, UTC, date) for date in some for app_id in visits.APPS]
        refresh_days(refresher, periods)
        refresher.refresh(periods)
    midnight = now.replace(hour=0, minute=0, second=0)
    refresher.refresh([hour for hour in refresher.hours(midnight, now) if hour.app_id in visits.APPS])
    with psycopg.connect(str(settings.database_url)) as connection:
        note_progress(connection, refresher.snapshot().version, now, now)
        # The files came without accounts, and the dashboard takes an app that received nothing for a new one.
        connection.execute(_RECEIVED, {"apps": list(visits.APPS), "now": now})


def expect(found: object, expected: object, what: str) -> None:
    """End the benchmark where an answer is wrong."""
    if found != expected:
        raise VoidRunError(f"{what}: {found} instead of {expected}")
