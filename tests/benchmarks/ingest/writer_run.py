"""Runs the real writer over a stream that is full already, and takes its time from the lake's own log."""

import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from eventmill.delta_log import LOG_DIRECTORY
from eventmill.lake import EVENTS, LakeTable, lake_directory
from tests.benchmarks.ingest.events import event_id
from tests.benchmarks.ingest.results import Side
from tests.benchmarks.ingest.room import Site, VoidRunError

WRITER = (sys.executable, "-m", "ingest_service.writer")
WARM_UP = 0.1
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class WriterCommit:
    """A commit of the writer: when it became visible (seconds), the last sequence in it, its events.

    `cpu_seconds` is the writer's processor time until then, which other programs on the machine change least.
    """

    at: float
    through: int
    events: int
    cpu_seconds: float = 0.0


def drain(site: Site, last_sequence: int, command: Sequence[str] = WRITER) -> list[WriterCommit]:
    """Run the writer until the lake holds the stream up to `last_sequence`; its commits, in order.

    Raises VoidRunError where it makes no commit for two minutes or ends by itself.
    """
    log = _Log(lake_directory(site.settings) / EVENTS.name / LOG_DIRECTORY)
    server = site.process("writer", command)
    server.start()
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    try:
        heard_at = time.monotonic()
        while not log.commits or log.commits[-1].through < last_sequence:
            time.sleep(POLL_SECONDS)
            if log.read(process):
                heard_at = time.monotonic()
            has_ended = server.process.poll() is not None
            if has_ended or time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise VoidRunError(
                    f"the writer stands still after {log.commits[-1:]}:\n{server.log.read_text()[-2000:]}"
                )
    finally:
        server.stop()
    return log.commits


class _Log:
    """The writer's commits in a Delta log, as they appear."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._next = 1
        self.commits: list[WriterCommit] = []

    def read(self, process: psutil.Process) -> bool:
        """Read what is new; whether the writer has committed."""
        before = len(self.commits)
        used = process.cpu_times()
        while (path := self._directory / f"{self._next:020}.json").exists():
            self._next += 1
            actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            cursors = [action["txn"]["version"] for action in actions if "txn" in action]
            if cursors:
                stats = [json.loads(action["add"]["stats"]) for action in actions if "add" in action]
                # An entry's time of change is when it got its name, by which it counts.
                at = path.stat().st_ctime_ns / 1e9
                events = sum(one["numRecords"] for one in stats)
                self.commits.append(WriterCommit(at, max(cursors), events, used.user + used.system))
        return len(self.commits) > before


@dataclass(frozen=True, slots=True)
class WriterRate:
    """Events per second, and microseconds of the writer's processor time an event."""

    events_per_second: float
    cpu_us: float


def steady_rate(commits: Sequence[WriterCommit]) -> WriterRate:
    """The writer's rate between the end of its warm-up and the last commit but one.

    The warm-up is the first commit and a tenth of the events. The last commit is left out: it waits for its age, not
    for work. Raises VoidRunError where fewer than two commits are left to measure.
    """
    total = sum(commit.events for commit in commits)
    passed, start = 0, 0
    for start, commit in enumerate(commits):  # noqa: B007 - the index is what is looked for
        passed += commit.events
        if passed >= total * WARM_UP:
            break
    measured = commits[start + 1 : -1]
    if len(measured) < 2:
        raise VoidRunError(f"{len(commits)} commits are too few to measure: give the writer more events")
    events = sum(commit.events for commit in measured)
    first, last = commits[start], measured[-1]
    return WriterRate(events / (last.at - first.at), (last.cpu_seconds - first.cpu_seconds) / events * 1e6)


def writer_side(rates: Sequence[WriterRate]) -> Side:
    """The writer's side of a comparison."""
    cpu = statistics.median(rate.cpu_us for rate in rates)
    name = f"writer ({cpu:.1f} µs of processor time an event)"
    return Side(name, "events/s", [rate.events_per_second for rate in rates])


def stored_ids(site: Site) -> list[str]:
    """Event ids of every row of the lake, in no order."""
    table = LakeTable(lake_directory(site.settings), EVENTS)
    snapshot = table.snapshot()
    files = snapshot.locate(snapshot.files["path"].to_pylist())
    columns = [pq.read_table(file, columns=["event_id"], partitioning=None)["event_id"] for file in files]
    ids: list[str] = pa.chunked_array([chunk for column in columns for chunk in column.chunks]).to_pylist()
    return ids


def expect_exactly(ids: Sequence[str], expected: Iterable[str], where: str) -> None:
    """Raise VoidRunError where an id is missing, doubled or strange."""
    wanted, found = set(expected), set(ids)
    if len(ids) != len(found) or found != wanted:
        raise VoidRunError(
            f"{where}: {len(wanted - found)} of {len(wanted)} events are missing, {len(ids) - len(found)} are there "
            f"twice, {len(found - wanted)} were never sent"
        )


def measure_writer(site: Site, last_sequence: int, events: int) -> WriterRate:
    """Rate of the writer over `events` events, numbered from 0, of a stream; each exactly once."""
    commits = drain(site, last_sequence)
    expect_exactly(stored_ids(site), (event_id(number) for number in range(events)), "lake")
    return steady_rate(commits)
