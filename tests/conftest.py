"""Shared fixtures: real nats-server and PostgreSQL from the wheels, on random ports, under .test-state/."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import nats
import psutil
import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from eventmill.control.migrate import migrate
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings
from tests.databases import drop_database
from tests.workers import free_ports, scheduler

TEST_STATE = Path(__file__).resolve().parent.parent / ".test-state"
# Files that live in memory, where the system has such a place with room for a cluster of databases.
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 * 1024**3
NUMBERS = count(1)

# A busy machine is slow to generate, which says nothing about our code; and a run that failed can be had again.
hypothesis_settings.register_profile(
    "eventmill", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("thorough", deadline=None, derandomize=False, max_examples=2_000)
hypothesis_settings.load_profile("eventmill")


# Started in the background of a script, this process ignores SIGINT; Dagster then ignores SIGTERM in it too, and with
# it every process that tests start and mean to end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A hook of pytest-xdist, which is not asked without `-n`.
pytest_xdist_make_scheduler = scheduler


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """The developer's own EVENTMILL_* variables must not reach a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("EVENTMILL_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def state_directory() -> Iterator[Path]:
    """This session's directory inside the repository; it goes afterwards, as do those of killed sessions."""
    TEST_STATE.mkdir(exist_ok=True)
    yield from _session_directory(TEST_STATE, "session")


@pytest.fixture(scope="session")
def quick_directory(state_directory: Path) -> Iterator[Path]:
    """As `state_directory`, in memory if there is room: for what nobody needs after a crash."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES:
        yield from _session_directory(MEMORY, "eventmill_tests")
    else:
        yield state_directory


def _session_directory(parent: Path, name: str) -> Iterator[Path]:
    for old in parent.glob(f"{name}-*"):
        if not psutil.pid_exists(int(old.name.split("-")[1])):
            shutil.rmtree(old, ignore_errors=True)  # another process of this run may be at it
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-{os.getpid()}-", dir=parent))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def new_directory(state_directory: Path) -> Callable[[], Path]:
    """Makes an empty directory below `state_directory` at each call."""

    def make() -> Path:
        directory = state_directory / str(next(NUMBERS))
        directory.mkdir()
        return directory

    return make


def _nats_server(directory: Path) -> NatsServer:
    port, monitor_port = free_ports(2)
    return NatsServer(directory / "nats", directory / "nats.log", port, monitor_port, 8 * 1024**3)


def _postgres_server(directory: Path, kind: type[PostgresServer] = PostgresServer) -> PostgresServer:
    (port,) = free_ports(1)
    return kind(directory / "postgres", directory / "password", directory / "postgres.log", port)


class _ForgetfulPostgres(PostgresServer):
    """Does not wait for the disk: nobody needs its data after a crash, and each test makes and drops a database."""

    def command(self) -> list[str]:
        return [*PostgresServer.command(self), "-c", "fsync=off", "-c", "full_page_writes=off"]


@pytest.fixture(scope="session")
def nats_server(new_directory: Callable[[], Path]) -> Iterator[NatsServer]:
    """The session's NATS server. `settings` empties it after each test."""
    nats_server = _nats_server(new_directory())
    server = nats_server.server()
    server.start()
    yield nats_server
    server.stop()


@pytest.fixture(scope="session")
def start_nats(new_directory: Callable[[], Path]) -> Iterator[Callable[[], NatsServer]]:
    """Starts NATS servers for services that outlive a test: nobody empties them, and they disturb nobody."""
    servers = []

    def start() -> NatsServer:
        nats_server = _nats_server(new_directory())
        servers.append(nats_server.server())
        servers[-1].start()
        return nats_server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def own_nats(new_directory: Callable[[], Path]) -> Iterator[tuple[NatsServer, Server]]:
    """A running NATS server of this test alone, and the handle that kills, stops and starts it again."""
    nats_server = _nats_server(new_directory())
    server = nats_server.server()
    server.start()
    yield nats_server, server
    server.stop()


@pytest.fixture(scope="session")
def postgres(quick_directory: Path) -> Iterator[PostgresServer]:
    """The session's PostgreSQL; tests take `database`, a database of their own on it."""
    directory = quick_directory / "cluster"
    directory.mkdir()
    postgres = _postgres_server(directory, _ForgetfulPostgres)
    server = postgres.server()
    server.start()
    yield postgres
    server.stop()


@pytest.fixture
def own_postgres(new_directory: Callable[[], Path]) -> Iterator[tuple[PostgresServer, Server]]:
    """A running PostgreSQL of this test alone, and the handle that kills, stops and starts it again."""
    postgres = _postgres_server(new_directory())
    server = postgres.server()
    server.start()
    yield postgres, server
    server.stop()


@pytest.fixture(scope="session")
def _migrated_template(postgres: PostgresServer) -> str:
    """A migrated database that the databases of the tests are copied from."""
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute("create database template_migrated")
    with psycopg.connect(postgres.address("template_migrated")) as connection:
        migrate(connection)
    return "template_migrated"


@pytest.fixture
def empty_database(postgres: PostgresServer) -> Iterator[str]:
    """`postgresql://…` address of a fresh database without any table of ours."""
    yield from _database(postgres, "template1")


@pytest.fixture
def database(postgres: PostgresServer, _migrated_template: str) -> Iterator[str]:
    """`postgresql://…` address of a fresh database with all migrations applied."""
    yield from _database(postgres, _migrated_template)


def _database(postgres: PostgresServer, template: str) -> Iterator[str]:
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield postgres.address(name)
        drop_database(connection, name)


@pytest.fixture
def settings(nats_server: NatsServer, database: str, new_directory: Callable[[], Path]) -> Iterator[Settings]:
    """Settings with a home, a database and free ports of this test's own; all streams go afterwards."""
    http, ingest, writer, dagster, dagster_grpc, flight = free_ports(6)
    nats_address = f"nats://127.0.0.1:{nats_server.port}"
    yield Settings(
        home=new_directory(),
        nats_url=nats_address,
        nats_monitor_url=f"http://127.0.0.1:{nats_server.monitor_port}",
        database_url=database,
        http_port=http,
        ingest_port=ingest,
        writer_port=writer,
        dagster_port=dagster,
        dagster_grpc_port=dagster_grpc,
        flight_port=flight,
        stream_max_bytes=512 * 1024**2,
        demo=False,
    )
    # In a thread of its own: an event loop of the test may still be set in this one.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, _delete_streams(nats_address)).result()


async def _delete_streams(address: str) -> None:
    client = await nats.connect(address)
    jetstream = client.jetstream()
    for stream in await jetstream.streams_info():
        await jetstream.delete_stream(stream.config.name)
    await client.close()
