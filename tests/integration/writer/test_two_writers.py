"""Two writer processes on one stream and one lake by mistake, under load: each event once, whoever commits it."""

import asyncio
import subprocess
import time
from collections.abc import Callable

import httpx
import pytest

from eventmill.contracts.subjects import HEADER_MSG_ID
from eventmill.lake import QUARANTINE
from tests.workers import free_ports
from tests.writer_bench import Bench, event

pytestmark = pytest.mark.integration

LEAST_ENVELOPES, MOST_ENVELOPES = 120, 3_000


def logged(bench: Bench, line: str) -> int:
    """How many such lines the writers have logged."""
    return (bench.settings.home / "writer.log").read_text(encoding="utf-8").count(line)


async def both_are_reading(bench: Bench) -> None:
    """Return once two writers read the stream."""
    deadline = time.monotonic() + 60
    while logged(bench, "consumer opened") < 2:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def publish_until_fenced(bench: Bench) -> tuple[int, int]:
    """Envelopes of five events, one of which is broken and one a copy of the envelope before, until one writer has
    met the other's commit of messages that it had written too. The last sequence, and how many envelopes."""
    for number in range(MOST_ENVELOPES):
        first = 3 * number
        lines = [event(first), event(first + 1), event(first + 2), f"bad {number}".encode(), event(max(0, first - 1))]
        sequence = await bench.publish(lines, headers={HEADER_MSG_ID: f"m{number}"})
        await asyncio.sleep(0.01)
        if number + 1 >= LEAST_ENVELOPES and logged(bench, "another writer is at work"):
            return sequence, number + 1
    raise AssertionError("the writers never met")


async def counted(port: int, name: str) -> float:
    """A counter of a writer."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_two_writer_processes_fence_each_other_and_lose_and_double_nothing(
    bench: Bench, writer_process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    ports = free_ports(2)
    processes = [writer_process(writer_port=port) for port in ports]
    await both_are_reading(bench)
    last, envelopes = await publish_until_fenced(bench)
    await bench.wait_until_committed(last, seconds=60)
    assert [process.poll() for process in processes] == [None, None]
    assert bench.event_ids() == [f"e{number}" for number in range(3 * envelopes)]
    assert sorted(bench.rows(QUARANTINE)["raw"].to_pylist()) == sorted(f"bad {n}".encode() for n in range(envelopes))
    notes = [note.info for note in bench.table().commits(0, bench.table().version())]
    entries = [entry for note in notes for entry in note.get("accounting", ())]
    # The first envelope's copy is of its own first event.
    fates = [sum(entry[fate] for entry in entries) for fate in ("received", "stored", "window_duplicate")]
    assert fates == [5 * envelopes, 3 * envelopes, envelopes]
    assert sum([await counted(port, "eventmill_writer_events_total") for port in ports]) == 3 * envelopes
