"""The writer's commits and its memory as a table ages; the compaction's child process runs beside it, as always.

The window of recent ids grows to the size that its setting allows, by 40 bytes an id: here it has that size from the
commit on with which memory is compared, so what grows after it is a leak.
"""

import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client

from tests.benchmarks.ingest.broker_messages import publish
from tests.benchmarks.ingest.events import Events, event_id
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import APP, Room, Site, VoidRunError
from tests.benchmarks.ingest.scale import COMMIT_NOTES, COMMIT_ROWS, Scale
from tests.benchmarks.ingest.writer_run import drain, expect_exactly, stored_ids

COMMAND = (sys.executable, "-m", "tests.benchmarks.ingest.writer_of_small_batches")
WINDOW = 100
# Late events: each commit touches three home hours, as under real load.
SHARES = ((0, 900), (1, 80), (5, 20))


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """One writer a repeat; each runs over the same stream into a lake of its own."""
    early, late, grown, first_bytes, last_bytes = [], [], [], [], []
    with room.filled_broker(lambda client: fill(client, scale.commits)) as (broker, last):
        for _ in range(scale.repeats):
            with room.site(broker) as site:
                seconds, memory = run(site, last, scale.commits)
            early.append(statistics.median(seconds[50 : 50 + WINDOW]) * 1000)
            late.append(statistics.median(seconds[-WINDOW:]) * 1000)
            first_bytes.append(_around(memory, scale.early_commit) / 2**20)
            last_bytes.append(_around(memory, scale.commits) / 2**20)
            grown.append((last_bytes[-1] / first_bytes[-1] - 1) * 100)
    ratios = [after / before for before, after in zip(early, late, strict=True)]
    count, tenth = f"{scale.commits:,}", f"{scale.early_commit:,}"
    slowdown = Figure(f"commit p50 at commit {count} vs commit 100", must=1.5, aim=1.2, is_cost=True)
    growth = Figure(f"memory growth of the writer over {count} commits", must=10, aim=3, unit="%", is_cost=True)
    return [
        Outcome(slowdown, ratios, [Side("commit 100", "ms", early), Side(f"commit {count}", "ms", late)]),
        Outcome(growth, grown, [Side(f"after {tenth}", "MiB", first_bytes), Side(f"after {count}", "MiB", last_bytes)]),
    ]


def run(site: Site, last: int, commits: int) -> tuple[list[float], list[int]]:
    """Seconds of each commit, and the writer's resident bytes after each."""
    window = {"duplicate_window_ids": commits // 10 * COMMIT_ROWS}
    drain(replace(site, settings=site.settings.model_copy(update=window)), last, COMMAND)
    expect_exactly(stored_ids(site), (event_id(number) for number in range(commits * COMMIT_ROWS)), "lake")
    lines = (site.settings.home / COMMIT_NOTES).read_text(encoding="ascii").split()
    if len(lines) < commits:
        raise VoidRunError(f"the writer made {len(lines)} commits where {commits} were wanted")
    pairs = [line.split(",") for line in lines[:commits]]
    return [float(seconds) for seconds, _ in pairs], [int(size) for _, size in pairs]


def _around(memory: list[int], commit: int) -> float:
    """Median of the 50 commits up to this one: a single reading hangs on what was just being freed."""
    return statistics.median(memory[max(0, commit - WINDOW // 2) : commit])


async def fill(client: Client, commits: int) -> int:
    """An envelope of 1,000 events for each commit; returns the last sequence."""
    return await publish(client, f"events.{APP}", envelopes(commits))


def envelopes(count: int) -> Iterator[bytes]:
    """Envelopes over three home hours, their events numbered from 0 on."""
    now = datetime.now(UTC)
    spread = [late for hours, share in SHARES for late in [Events(now - timedelta(hours=hours))] * share]
    for first in range(0, count * COMMIT_ROWS, COMMIT_ROWS):
        yield b"\n".join([spread[index].line(first + index) for index in range(COMMIT_ROWS)])
