"""How long the writer's commits take as a table ages, with compaction running beside them.

`python -m tests.benchmarks.commits [COMMITS]` prints p50 and p95 around commit 100 and at the end, and their ratio.
"""

import asyncio
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest_service.writer.buffer import Batch
from ingest_service.writer.compactor import Compactor
from ingest_service.writer.decoding import decode_envelope
from ingest_service.writer.source import Envelope
from tests.conftest import TEST_STATE
from tests.lake_writer_bench import HISTORY_START, SHOP, Lake, lines

EVENTS_PER_COMMIT = 1_000
WINDOW = 100


def batch(sequence: int, now: datetime) -> Batch:
    """One envelope a commit, over three home hours as late events make them."""
    body = [
        line
        for hour, share in ((0, 900), (1, 80), (5, 20))
        for line in lines(sequence, share, timestamp=(now - timedelta(hours=hour)).isoformat())
    ]
    envelope = Envelope(sequence, "events.shop", {}, b"\n".join(body), now)
    return Batch(sequence - 1, sequence, [decode_envelope(envelope, SHOP, HISTORY_START)])


async def measure(directory: Path, commits: int) -> list[float]:
    """Seconds of each commit."""
    lake = Lake.create(directory)
    writer, compactor = lake.writer(), Compactor(directory)
    now = datetime.now(UTC)
    seconds = []
    for sequence in range(1, commits + 1):
        committed = await asyncio.to_thread(writer.write, batch(sequence, now))
        assert committed is not None
        seconds.append(committed.seconds)
        await compactor.note_commit()
    while compactor.is_running:  # noqa: ASYNC110 - the child says nothing when it ends
        await asyncio.sleep(0.1)
    stored = lake.table().snapshot().files
    print(f"active files at the end: {stored.num_rows}")
    assert sum(stored["num_records"].to_pylist()) == commits * EVENTS_PER_COMMIT
    return seconds


def describe(name: str, seconds: list[float]) -> float:
    """Print a window's figures; returns its p50."""
    p50 = statistics.median(seconds)
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(f"{name}: p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms")
    return p50


def main() -> None:
    """Measure and print."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with tempfile.TemporaryDirectory(dir=TEST_STATE) as directory:
        seconds = asyncio.run(measure(Path(directory), commits))
    early = describe("commits 50 to 150", seconds[50 : 50 + WINDOW])
    late = describe(f"last {WINDOW} of {commits}", seconds[-WINDOW:])
    print(f"ratio {late / early:.2f} (at most 1.5 is wanted)")


if __name__ == "__main__":
    main()
