"""Live numbers: how long the last five minutes take, how long from an event to its frame, what idle clients cost.

Each function measures a running query service; `python -m tests.benchmarks.query.live` starts one of its own, with five
minutes of 1,000 events a second in its window.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
from websockets.asyncio.client import ClientConnection, connect

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.control.apps import create_app
from eventmill.control.migrate import migrate
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings
from eventmill.stream import publish_envelope
from eventmill.synthetic.flow import Plan, Shares, lines
from tests.streams import make_stream
from tests.workers import free_ports

MINUTES = 5
RATE = 1_000
ENVELOPE = 500
CLIENTS = 8
FOLLOWERS = 500


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of so many answers."""

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latencies":
        """Of at least two measurements in seconds."""
        cuts = quantiles(seconds, n=100, method="inclusive")
        return cls(len(seconds), 1000 * cuts[49], 1000 * cuts[98])


async def fill(settings: Settings, app_id: str, minutes: float = MINUTES, rate: int = RATE) -> int:
    """Publish events of the last minutes at `rate`, as a gateway would; how many."""
    count = int(minutes * 60 * rate)
    plan = Plan(app_id, count, datetime.now(UTC), seed=5, days=minutes / 1440, shares=Shares(0, 0, 0))
    client = await stream.connect(settings, "bench")
    try:
        await stream.ensure_stream(client.jetstream(), settings)
        batch: list[bytes] = []
        for number, line in enumerate(lines(plan), 1):
            batch.append(line.raw)
            if len(batch) == ENVELOPE or number == count:
                await publish_envelope(client.jetstream(), app_id, encode_lines(batch), {}, budget_seconds=10)
                batch = []
    finally:
        await client.close()
    return count


async def measure_last_minutes(
    url: str, key: str, app_id: str, *, seconds: float = 8.0, clients: int = CLIENTS, think_seconds: float = 0.02
) -> Latencies:
    """`GET /api/live?window=5m` by clients at once, each over a connection of its own, asking again after a pause."""
    path = f"/api/live?window=5m&app_id={app_id}"
    until = time.perf_counter() + seconds
    found = await asyncio.gather(*(_ask(url, key, path, until, think_seconds) for _ in range(clients)))
    return Latencies.of([one for each in found for one in each])


async def measure_frames(
    settings: Settings, url: str, key: str, app_id: str, *, events: int = 60, interval: float = 0.25
) -> Latencies:
    """From publishing an event on NATS to the frame of the live summary that shows it."""
    client = await stream.connect(settings, "bench")
    async with _following(url, key, app_id, interval) as connection:
        seconds = []
        for number in range(events):
            name = f"frame-{time.time_ns()}-{number}"
            event = {"event_id": name, "event_type": "page_view", "anonymous_id": "bench"}
            started_at = time.perf_counter()
            await client.publish(f"events.{app_id}", json.dumps(event).encode())
            # Every frame has the last events: this one is the first to have ours.
            while name not in await connection.recv():
                pass
            seconds.append(time.perf_counter() - started_at)
            # At no fixed place within the interval.
            await asyncio.sleep(0.05 + 0.25 * (number % 7) / 7)
    await client.close()
    return Latencies.of(seconds)


async def measure_idle(
    url: str, key: str, app_id: str, process: psutil.Process, *, clients: int = FOLLOWERS, seconds: float = 16.0
) -> float:
    """Share of a core that the service takes while so many clients follow an app in which nothing happens."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(clients):
            await stack.enter_async_context(_following(url, key, app_id, 1.0))
        await asyncio.sleep(2)
        before, started_at = _busy(process), time.perf_counter()
        await asyncio.sleep(seconds)
        return (_busy(process) - before) / (time.perf_counter() - started_at)


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextlib.asynccontextmanager
async def _following(url: str, key: str, app_id: str, interval: float) -> AsyncIterator[ClientConnection]:
    address = f"{url.replace('http', 'ws', 1)}/ws/live"
    async with connect(address, ping_interval=None, compression=None, max_size=None) as connection:
        await connection.send(json.dumps({"type": "auth", "key": key}))
        await connection.recv()
        asked = {"type": "subscribe", "id": "live", "live": True, "app_id": app_id, "interval": interval}
        await connection.send(json.dumps(asked))
        await connection.recv()
        yield connection


async def _ask(url: str, key: str, path: str, until: float, think_seconds: float) -> list[float]:
    """Seconds of each answer. By hand: a client library takes longer than the answer."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    seconds = []
    while time.perf_counter() < until:
        started_at = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if not head.startswith("http/1.1 200"):
            raise RuntimeError(head)
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        seconds.append(time.perf_counter() - started_at)
        await asyncio.sleep(think_seconds)
    writer.close()
    await writer.wait_closed()
    return seconds


@contextlib.contextmanager
def _own_service(directory: Path) -> Iterator[tuple[Settings, psutil.Process, dict[str, str]]]:
    """A broker, a PostgreSQL and a query service with the apps `busy` and `idle`; read keys by app."""
    nats_port, monitor_port, pg_port, http_port = free_ports(4)
    nats = NatsServer(directory / "nats", directory / "nats.log", nats_port, monitor_port, 8 * 1024**3).server()
    postgres = PostgresServer(directory / "postgres", directory / "password", directory / "postgres.log", pg_port)
    server = postgres.server()
    nats.start()
    server.start()
    settings = Settings(
        home=directory,
        nats_url=f"nats://127.0.0.1:{nats_port}",
        database_url=postgres.address(),
        http_port=http_port,
        stream_max_bytes=1024**3,
    )
    make_stream(settings)
    with psycopg.connect(postgres.address()) as connection:
        migrate(connection)
        keys = {app_id: create_app(connection, app_id, app_id=app_id)[1].read_key for app_id in ("busy", "idle")}
    names = ("home", "nats_url", "database_url", "http_port")
    variables = {f"EVENTMILL_{name.upper()}": str(getattr(settings, name)) for name in names}
    process = psutil.Popen([sys.executable, "-m", "query_service"], env=os.environ | variables)
    try:
        yield settings, process, keys
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        server.stop()
        nats.stop()


async def _until_rebuilt(url: str, key: str) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get(f"{url}/api/live", timeout=30)
                if answer.status_code == 200 and answer.json()["meta"]["is_rebuilt"]:
                    return
            await asyncio.sleep(0.2)
    raise RuntimeError("the live window was not rebuilt")


async def _measure(settings: Settings, process: psutil.Process, keys: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{settings.http_port}"
    await _until_rebuilt(url, keys["idle"])
    began = time.perf_counter()
    count = await fill(settings, "busy")
    print(f"published {count:,} events in {time.perf_counter() - began:.1f} s", flush=True)
    await asyncio.sleep(3)
    print("last 5 minutes  ", await measure_last_minutes(url, keys["busy"], "busy"), flush=True)
    print("event to frame  ", await measure_frames(settings, url, keys["busy"], "busy"), flush=True)
    share = await measure_idle(url, keys["idle"], "idle", process)
    print(f"{FOLLOWERS} idle clients take {100 * share:.1f} % of a core; {process.memory_info().rss / 1e6:.0f} MB")


def main() -> int:
    """Measure a service of our own."""
    directory = Path(tempfile.mkdtemp(prefix="live-"))
    try:
        with _own_service(directory) as (settings, process, keys):
            asyncio.run(_measure(settings, process, keys))
    except subprocess.TimeoutExpired:
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
