"""Two writer processes on one stream and one lake by mistake, under load: each event once, whoever commits it."""

import asyncio
import subprocess
from collections.abc import Callable

import httpx
import pytest

from eventmill.contracts.subjects import HEADER_MSG_ID
from eventmill.embedded.ports import free_ports
from eventmill.lake import QUARANTINE
from tests.writer_bench import Bench, event

pytestmark = pytest.mark.integration

ENVELOPES = 120


async def publish(bench: Bench) -> int:
    """Envelopes of five events, one of which is broken and one a copy of the envelope before."""
    sequence = 0
    for number in range(ENVELOPES):
        first = 3 * number
        lines = [event(first), event(first + 1), event(first + 2), f"bad {number}".encode(), event(max(0, first - 1))]
        sequence = await bench.publish(lines, headers={HEADER_MSG_ID: f"m{number}"})
        await asyncio.sleep(0.01)
    return sequence


async def counted(port: int, name: str) -> float:
    """A counter of a writer."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_two_writer_processes_lose_nothing_and_double_nothing(
    bench: Bench, writer_process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    ports = free_ports(2)
    processes = [writer_process(writer_port=port) for port in ports]
    last = await publish(bench)
    await bench.wait_until_committed(last, seconds=60)
    assert [process.poll() for process in processes] == [None, None]
    assert bench.event_ids() == [f"e{number}" for number in range(3 * ENVELOPES)]
    assert sorted(bench.rows(QUARANTINE)["raw"].to_pylist()) == sorted(f"bad {n}".encode() for n in range(ENVELOPES))
    notes = [note.info for note in bench.table().commits(0, bench.table().version())]
    entries = [entry for note in notes for entry in note.get("accounting", ())]
    # The first envelope's copy is of its own first event.
    fates = [sum(entry[fate] for entry in entries) for fate in ("received", "stored", "window_duplicate")]
    assert fates == [5 * ENVELOPES, 3 * ENVELOPES, ENVELOPES]
    assert sum([await counted(port, "eventmill_writer_events_total") for port in ports]) == 3 * ENVELOPES
