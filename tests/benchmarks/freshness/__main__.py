"""How long an acknowledged event takes to be in the numbers, by tier.

`make bench NAME=freshness` (or `python -m tests.benchmarks freshness --minutes 10 --rate 1000`; `--quick` tries
everything on small numbers) starts an installation of its own and preloads 30 days, 20 hours of the running day and 50
minutes of the running hour, the last at the rate. Then it publishes at `rate` events a second. Open hours and days:
from the broker's confirmation of an envelope to the first time that a reader of `marts.daily_stats` sees its events,
which become visible in the order of the stream. Other tiers: how far the numbers of the oldest period lag behind,
looked at every second. At the end the same once more beside `eventmill backfill` of the 30 days.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.stream import publish_envelope
from eventmill.synthetic.flow import Line, Plan, Shares, lines
from tests.benchmarks.freshness import report
from tests.benchmarks.freshness.report import Figures
from tests.benchmarks.freshness.watch import Lags, Watcher, latencies_of
from tests.installation import Installation

NO_EXTRAS = Shares(late=0, duplicates=0, malformed=0)
ENVELOPE = 500
# Ten envelopes a second, as a gateway in front of many small clients would publish them.
TICK_SECONDS = 0.1
HISTORY_DAYS = 30 + 20 / 24
SAVED = (
    ("cohort", "create", "Viewers", "--event-type", "page_view"),
    ("funnel", "create", "Purchase", "--step", "page_view", "--step", "purchase"),
)
QUICK = {"minutes": 0.3, "rate": 200, "preload_minutes": 1, "history_events": 20_000}


def main(arguments: list[str]) -> int:
    """Run the benchmark and print the distribution; the exit code is 1 where an event was lost or doubled."""
    parser = argparse.ArgumentParser(prog="freshness", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--preload-minutes", type=float, default=50)
    parser.add_argument("--history-events", type=int, default=1_000_000, help="in 30 days and 20 hours")
    parser.add_argument("--no-backfill", action="store_true", help="leave out the comparison with a backfill")
    parser.add_argument("--quick", action="store_true", help="small numbers, which show that it runs and no more")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    directory = Path(tempfile.mkdtemp(prefix="freshness-"))
    installation = Installation(directory / "home", demo=False)
    try:
        installation.start()
        figures = run(installation, options)
    finally:
        installation.stop()
        shutil.rmtree(directory, ignore_errors=True)
    if options.write:
        report.write(figures, options.rate)
    return 0 if all(one.is_exact for one in figures) else 1


def run(installation: Installation, options: argparse.Namespace) -> list[Figures]:
    """Preload, then publish and watch, alone and beside a backfill; figures of each."""
    app_id = installation.json("app", "create", "Freshness", "--time-zone", late_zone())["app_id"]
    for definition in SAVED:
        installation.json(*definition, "--app", app_id)
    now = datetime.now(UTC)
    elapsed = now - now.replace(minute=0, second=0, microsecond=0)
    hour = int(options.preload_minutes * 60 * options.rate)
    print(f"preloading {options.history_events:,} events of 31 days and {hour:,} of this hour", flush=True)
    history = Plan(app_id, options.history_events, now - elapsed, seed=3, days=HISTORY_DAYS, shares=NO_EXTRAS)
    plan = Plan(app_id, hour, now, seed=1, days=elapsed / timedelta(days=1), shares=NO_EXTRAS)
    for one, count in ((history, options.history_events), (plan, hour)):
        asyncio.run(_preload(installation, app_id, lines(one), count))
    installation.settle()
    figures = [measure(installation, app_id, options, options.history_events + hour, "alone")]
    if not options.no_backfill:
        with backfill(installation, now.date()):
            before = figures[0].acknowledged
            figures.append(measure(installation, app_id, options, before, "beside a backfill of 30 days"))
    for one in figures:
        report.show(one)
    if len(figures) == 2:
        report.show_ratio(*figures)
    return figures


def late_zone() -> str:
    """A zone whose day is 20 hours old, and a little."""
    offset = (20 - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@contextmanager
def backfill(installation: Installation, today: date) -> Iterator[None]:
    """A backfill of the 30 days before, which is ended where it takes longer."""
    dates = ["--from", str(today - timedelta(days=30)), "--to", str(today - timedelta(days=1))]
    command = [sys.executable, "-m", "eventmill", "backfill", *dates]
    with subprocess.Popen(command, env=installation.environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            if process.poll() is not None:
                print("The backfill ended before the measurement: it says too little.", flush=True)
            # Its run ends with the installation; SIGINT is ignored below a shell's background job.
            process.terminate()


def measure(
    installation: Installation, app_id: str, options: argparse.Namespace, present: int, circumstances: str
) -> Figures:
    """Publish and watch for the given minutes; `present` events are there before."""
    address = installation.settings.database_address
    watcher, lags = Watcher(address, app_id), Lags(address)
    watcher.start()
    lags.start()
    count = int(options.minutes * 60 * options.rate)
    print(f"publishing {count:,} events at {options.rate:,} a second, {circumstances}", flush=True)
    acknowledged = asyncio.run(_publish(installation, app_id, options.rate, count, seed=present))
    installation.settle()
    time.sleep(1)
    watcher.stop()
    lags.stop()
    total = watcher.seen[-1][1]
    latencies = latencies_of(acknowledged, watcher.seen, present)
    for tier, behind in lags.most.items():
        print(f"{tier}: at most {behind} periods waited at once", flush=True)
    return Figures(circumstances, latencies, lags.seen, present + count, total)


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


async def _publish(
    installation: Installation, app_id: str, rate: int, count: int, seed: int
) -> list[tuple[float, int]]:
    """Publish at `rate`; returns (time of confirmation, unique events so far) of each envelope."""
    client = await stream.connect(installation.settings, "freshness")
    jetstream = client.jetstream()
    flow = lines(Plan(app_id, count, datetime.now(UTC), seed=seed, rate=rate))
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
