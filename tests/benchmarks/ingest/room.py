"""Where a benchmark runs: real servers of its own, and a fresh home, database and lake for each run."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

import nats
import psutil
import psycopg
from nats.aio.client import Client

from eventmill import stream
from eventmill.control.apps import create_app
from eventmill.control.migrate import migrate
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.ports import free_ports
from eventmill.embedded.postgres import PostgresServer
from eventmill.lake import create_tables
from eventmill.settings import Settings
from tests.benchmarks.ingest.brokers import STREAM_BYTES, HastyBroker, broker_in, running
from tests.conftest import TEST_STATE
from tests.databases import drop_database

APP = "shop"
TEMPLATE = "template_bench"
Answer = TypeVar("Answer")


class VoidRunError(Exception):
    """Something was lost, doubled or refused: the run's figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Site:
    """One run's home, database, lake and app, beside a broker that several runs may share."""

    settings: Settings
    write_key: str

    def environment(self) -> dict[str, str]:
        """Environment of a process of this site; the caller's own settings do not reach it."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("EVENTMILL_")}
        given = self.settings.model_dump(mode="json", exclude_unset=True)
        return outside | {f"EVENTMILL_{name.upper()}": str(value) for name, value in given.items()}

    def process(self, name: str, argv: Sequence[str], is_ready: Callable[[], bool] = lambda: True) -> Server:
        """A process of this site, not started yet; it ends with this one."""
        return Server(name, argv, self.settings.home / f"{name}.log", is_ready, environment=self.environment())

    def connected(self, call: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Result of a coroutine with a connection to the broker."""

        async def run() -> Answer:
            async with connection(self.settings.nats_address) as client:
                return await call(client)

        return asyncio.run(run())


@asynccontextmanager
async def connection(address: str) -> AsyncIterator[Client]:
    """A connection to a broker."""
    client = await nats.connect(address, pending_size=64 * 1024 * 1024)
    try:
        yield client
    finally:
        await client.close()


@dataclass(slots=True)
class Room:
    """A directory and a PostgreSQL for all runs of a benchmark."""

    directory: Path
    postgres: PostgresServer
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @classmethod
    @contextmanager
    def open(cls) -> Iterator["Room"]:
        """Start PostgreSQL with eventmill's own settings; everything goes in the end."""
        TEST_STATE.mkdir(exist_ok=True)
        _clear_killed()
        directory = Path(tempfile.mkdtemp(prefix=f"bench-{os.getpid()}-", dir=TEST_STATE))
        (port,) = free_ports(1)
        postgres = PostgresServer(directory / "postgres", directory / "password", directory / "postgres.log", port)
        server = postgres.server()
        try:
            server.start()
            with psycopg.connect(postgres.address(), autocommit=True) as connection:
                connection.execute(f"create database {TEMPLATE}")
            with psycopg.connect(postgres.address(TEMPLATE)) as connection:
                migrate(connection)
            yield cls(directory, postgres)
        finally:
            server.stop()
            shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def broker(self) -> Iterator[NatsServer]:
        """A new nats-server that syncs each message before it confirms."""
        with self._broker_directory() as directory:
            broker = broker_in(NatsServer, directory)
            with running(broker):
                yield broker

    @contextmanager
    def filled_broker(self, fill: Callable[[Client], Awaitable[int]]) -> Iterator[tuple[NatsServer, int]]:
        """As `broker`, with the stream of envelopes and what `fill` published; also the sequence that it returned.

        Filling takes no syncs and ends with a clean stop: only reading is measured on such streams.
        """
        with self._broker_directory() as directory:
            hasty = broker_in(HastyBroker, directory)
            with running(hasty), self.site(hasty) as site:
                last = site.connected(fill)
            broker = broker_in(NatsServer, directory)
            with running(broker):
                yield broker, last

    @contextmanager
    def _broker_directory(self) -> Iterator[Path]:
        directory = self._directory("broker")
        yield directory
        shutil.rmtree(directory)

    @contextmanager
    def site(self, broker: NatsServer) -> Iterator[Site]:
        """A fresh site with the app `shop`; the broker has its stream."""
        home = self._directory("site")
        with self._database() as database:
            site = Site(_settings(home, broker, database), _write_key(database))
            create_tables(site.settings)
            site.connected(lambda client: stream.ensure_stream(client.jetstream(), site.settings))
            yield site
        shutil.rmtree(home)

    def _directory(self, name: str) -> Path:
        directory = self.directory / f"{name}-{next(self._numbers)}"
        directory.mkdir()
        return directory

    @contextmanager
    def _database(self) -> Iterator[str]:
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self.postgres.address(), autocommit=True) as connection:
            connection.execute(f"create database {name} template {TEMPLATE}")
            yield self.postgres.address(name)
            drop_database(connection, name)


def _clear_killed() -> None:
    """Delete what benchmarks left that were killed."""
    for old in TEST_STATE.glob("bench-*"):
        if not psutil.pid_exists(int(old.name.split("-")[1])):
            shutil.rmtree(old)


def _settings(home: Path, broker: NatsServer, database: str) -> Settings:
    ingest, writer = free_ports(2)
    return Settings(
        home=home,
        nats_url=f"nats://127.0.0.1:{broker.port}",
        nats_monitor_url=f"http://127.0.0.1:{broker.monitor_port}",
        database_url=database,
        ingest_port=ingest,
        writer_port=writer,
        stream_max_bytes=STREAM_BYTES,
        log_level="warning",
    )


def _write_key(database: str) -> str:
    with psycopg.connect(database) as connection:
        return create_app(connection, APP, app_id=APP)[1].write_key
