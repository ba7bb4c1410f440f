"""A plant under load: the ingest side's processes, and the oracle that sends to them."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from eventmill.control.apps import create_app
from eventmill.embedded.children import die_with_parent
from eventmill.embedded.postgres import PostgresServer
from eventmill.lake import create_tables
from eventmill.settings import Settings
from eventmill.stream import connect, ensure_stream
from tests.chaos.plant import Plant, plant_on
from tests.chaos.verdict import Verdict
from tests.workers import free_ports


@pytest.fixture
def chaos_home(new_directory: Callable[[], Path]) -> Path:
    """Where the plant keeps everything."""
    return new_directory()


@pytest.fixture
def plant(
    chaos_home: Path, database: str, postgres: PostgresServer, new_directory: Callable[[], Path]
) -> Iterator[Plant]:
    """Everything running and ready, with an app `shop`."""
    nats, monitor, ingest, writer = free_ports(4)
    settings = Settings(
        home=chaos_home,
        nats_port=nats,
        nats_monitor_port=monitor,
        ingest_port=ingest,
        writer_port=writer,
        database_url=database,
        stream_max_bytes=2 * 1024**3,
        demo=False,
    )
    plant = plant_on(settings, new_directory() / "nats.log", postgres.data / "postmaster.pid")
    create_tables(settings)
    plant.broker.start()
    asyncio.run(_make_stream(settings))
    plant.start_all()
    yield plant
    plant.stop_all()


async def _make_stream(settings: Settings) -> None:
    client = await connect(settings, "chaos")
    try:
        await ensure_stream(client.jetstream(), settings)
    finally:
        await client.close()


@pytest.fixture
def verdict(plant: Plant, database: str, new_directory: Callable[[], Path]) -> Iterator[Verdict]:
    """The oracle at work, and the judge of what became of its events. Its ledgers lie on another disk than the home."""
    with psycopg.connect(database) as connection:
        keys = create_app(connection, "shop", app_id="shop")[1]
    ledgers = new_directory()
    arguments = [f"http://127.0.0.1:{plant.settings.ingest_port}", keys.write_key, str(ledgers)]
    oracle = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.oracle", *arguments],
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no lock taken
    )
    yield Verdict(plant, oracle, ledgers)
    oracle.kill()
    oracle.wait()
