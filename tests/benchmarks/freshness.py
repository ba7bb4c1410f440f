"""How long an acknowledged event takes to be in the marts.

`make bench NAME=freshness` (or `python -m tests.benchmarks freshness --minutes 10 --rate 1000 --preload-minutes 50`)
starts an installation of its own, fills the running hour with `preload-minutes` of events at the same rate, then
publishes at `rate` events a second and watches `marts.daily_stats`. Latency is from the broker's confirmation of an
envelope to the first time that a reader sees its events; events are visible in the order of the stream.
"""

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import psycopg

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.stream import publish_envelope
from eventmill.synthetic.flow import Line, Plan, Shares, lines
from tests.installation import Installation

NO_EXTRAS = Shares(late=0, duplicates=0, malformed=0)
ENVELOPE = 500
# Ten envelopes a second, as a gateway in front of many small clients would publish them.
TICK_SECONDS = 0.1
HOUR = timedelta(hours=1)


def main(arguments: list[str]) -> int:
    """Run the benchmark and print the distribution; the exit code is 1 where an event was lost or doubled."""
    parser = argparse.ArgumentParser(prog="freshness", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--preload-minutes", type=float, default=50)
    options = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="freshness-"))
    installation = Installation(directory / "home", demo=False)
    try:
        installation.start()
        return run(installation, options)
    finally:
        installation.stop()
        shutil.rmtree(directory, ignore_errors=True)


def run(installation: Installation, options: argparse.Namespace) -> int:
    """Preload, publish and watch."""
    app_id = installation.json("app", "create", "Freshness")["app_id"]
    now = datetime.now(UTC)
    elapsed = now - now.replace(minute=0, second=0, microsecond=0)
    preloaded = int(options.preload_minutes * 60 * options.rate)
    print(f"preloading {preloaded:,} events into the {elapsed.seconds // 60} minutes that the hour is old", flush=True)
    plan = Plan(app_id, preloaded, now, seed=1, days=elapsed / timedelta(days=1), shares=NO_EXTRAS)
    asyncio.run(_preload(installation, app_id, lines(plan), preloaded))
    installation.settle()
    watcher = Watcher(installation.settings.database_address, app_id)
    watcher.start()
    count = int(options.minutes * 60 * options.rate)
    print(f"publishing {count:,} events at {options.rate:,} a second", flush=True)
    acknowledged = asyncio.run(_publish(installation, app_id, options.rate, count))
    installation.settle()
    time.sleep(1)
    watcher.stop()
    total = watcher.seen[-1][1]
    report(acknowledged, watcher.seen, preloaded)
    print(f"events: {preloaded + count:,} acknowledged, {total:,} in the mart")
    return 0 if total == preloaded + count else 1


async def _preload(installation: Installation, app_id: str, flow: Iterator[Line], count: int) -> None:
    client = await stream.connect(installation.settings, "freshness-preload")
    jetstream = client.jetstream()
    slots = asyncio.Semaphore(16)

    async def send(chunk: list[Line]) -> None:
        try:
            body = encode_lines(line.raw for line in chunk)
            await publish_envelope(jetstream, app_id, body, {}, budget_seconds=60)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(0, count, ENVELOPE):
            await slots.acquire()
            tasks.create_task(send(list(islice(flow, ENVELOPE))))
    await client.close()


async def _publish(installation: Installation, app_id: str, rate: int, count: int) -> list[tuple[float, int]]:
    """Publish at `rate`; returns (time of confirmation, unique events so far) of each envelope."""
    client = await stream.connect(installation.settings, "freshness")
    jetstream = client.jetstream()
    flow = lines(Plan(app_id, count, datetime.now(UTC), seed=2, rate=rate))
    acknowledged: list[tuple[float, int]] = []
    started_at = time.monotonic()
    sent = 0
    while sent < count:
        await asyncio.sleep(max(0.0, started_at + sent / rate - time.monotonic()))
        chunk = list(_until(flow, int(rate * TICK_SECONDS)))
        sent += sum(line.kind == "event" for line in chunk)
        await publish_envelope(jetstream, app_id, encode_lines(line.raw for line in chunk), {}, budget_seconds=30)
        acknowledged.append((time.monotonic(), sent))
    await client.close()
    return acknowledged


def _until(flow: Iterator[Line], events: int) -> Iterator[Line]:
    for line in flow:
        yield line
        events -= line.kind == "event"
        if events <= 0:
            return


class Watcher(threading.Thread):
    """Reads the mart all the time: `seen` is (time, events of the app) whenever the number changes."""

    def __init__(self, address: str, app_id: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self._address, self._app_id = address, app_id
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll twenty times a second."""
        with psycopg.connect(self._address, autocommit=True) as connection:
            while not self._stopped.wait(0.05):
                row = connection.execute(
                    "select coalesce(sum(event_count), 0)::bigint from marts.daily_stats where app_id = %s",
                    [self._app_id],
                ).fetchone()
                events = int(row[0]) if row else 0
                if not self.seen or self.seen[-1][1] != events:
                    self.seen.append((time.monotonic(), events))

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self.join()


def report(acknowledged: list[tuple[float, int]], seen: list[tuple[float, int]], preloaded: int) -> None:
    """Print the distribution of latencies, weighted by events."""
    latencies: list[float] = []
    position, before = 0, 0
    for confirmed_at, events in acknowledged:
        while position < len(seen) and seen[position][1] < preloaded + events:
            position += 1
        if position == len(seen):
            break
        latencies += [seen[position][0] - confirmed_at] * (events - before)
        before = events
    cuts = statistics.quantiles(latencies, n=100)
    print(f"machine: {os.cpu_count()} cores, {platform.platform()}")
    print(f"events measured: {len(latencies):,}; refreshes seen: {len(seen):,}")
    for name, seconds in (("p50", cuts[49]), ("p90", cuts[89]), ("p95", cuts[94]), ("p99", cuts[98])):
        print(f"{name}: {seconds:.1f} s")
    print(f"max: {max(latencies):.1f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
