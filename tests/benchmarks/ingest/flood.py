"""The gateway's memory while it is sent four times what it manages: single events, 340 KB batches and slow senders."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
from nats.aio.client import Client
from nats.js import api

from eventmill.contracts.subjects import STREAM
from tests.benchmarks.ingest.broker_messages import FETCH, PATIENCE_SECONDS
from tests.benchmarks.ingest.gateway_run import OURS, gateway
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import Room, Site, VoidRunError
from tests.benchmarks.ingest.scale import Scale

FIGURE = Figure("gateway, resident memory at 4× its capacity", must=400, aim=300, unit="MiB", is_cost=True)
CAPACITY_CLIENTS = (32, 6, 0)
FLOOD_CLIENTS = (300, 300, 60)
TIMES = 4
# A slow sender's answer may come after the flood's end.
LATE_SECONDS = 60
EXPECTED = frozenset({"200", "503", "429", "broken connection"})
_REQUEST = re.compile(rb'"event_id":"flood-([0-9a-f]{8})-')


@dataclass(frozen=True, slots=True)
class Flooding:
    """What one run of clients sent and heard; rates are events per second."""

    sent: float
    acknowledged: float
    answers: dict[str, int]
    ledger: dict[int, int]
    peak_mib: float


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """First the capacity, then the flood, on one gateway; afterwards each acknowledged request is stored once."""
    with room.broker() as broker, room.site(broker) as site, gateway(site, OURS) as process:
        capacity = put_flood(site, process, "capacity", scale.load_warm_up_seconds * 3, CAPACITY_CLIENTS)
        flooded = put_flood(site, process, "flood", scale.flood_seconds, FLOOD_CLIENTS)
        if odd := flooded.answers.keys() - EXPECTED:
            raise VoidRunError(f"the gateway answered {odd}: {flooded.answers}")
        if flooded.sent < TIMES * capacity.acknowledged:
            sent = f"{flooded.sent:,.0f} of {capacity.acknowledged:,.0f} events/s"
            raise VoidRunError(f"the flood was none: {sent}")
        stored = site.connected(stored_requests)
    expect_each_once(flooded.ledger, stored)
    told = ", ".join(
        f"{number:,} {'answered ' + answer if answer.isdigit() else answer}"
        for answer, number in sorted(flooded.answers.items())
    )
    sides = [
        Side(f"sent in {scale.flood_seconds:g} s, as requests: {told}", "events/s", [flooded.sent]),
        Side("acknowledged, each stored once", "events/s", [flooded.acknowledged]),
        Side("capacity", "events/s", [capacity.acknowledged]),
    ]
    return [Outcome(FIGURE, [flooded.peak_mib], sides)]


def put_flood(site: Site, process: psutil.Process, run: str, seconds: float, clients: tuple[int, int, int]) -> Flooding:
    """Flood a gateway for so many seconds, and look at its memory once a second."""
    ledger = site.settings.home / f"ledger-{run}"
    given = [site.settings.ingest_port, site.write_key, seconds, ledger, *clients, run]
    command = [sys.executable, "-m", "tests.benchmarks.ingest.flood_client", *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        peak = 0
        last = time.monotonic() + seconds + LATE_SECONDS
        while client.poll() is None:
            peak = max(peak, process.memory_info().rss)
            time.sleep(1)
            if time.monotonic() > last:
                client.kill()
        output = client.stdout.read() if client.stdout else ""
    if client.returncode != 0:
        raise VoidRunError(f"the flood failed with {client.returncode}")
    told = json.loads(output)
    sent, acknowledged = told["events"] / seconds, told["acknowledged"] / seconds
    return Flooding(sent, acknowledged, told["answers"], _read(ledger), peak / 2**20)


def _read(ledger: Path) -> dict[int, int]:
    pairs = [line.split() for line in ledger.read_text(encoding="ascii").splitlines()]
    return {int(number, 16): int(events) for number, events in pairs}


async def stored_requests(client: Client) -> Counter[int]:
    """How many events of each request of the flood are on the stream."""
    jetstream = client.jetstream()
    messages = (await jetstream.stream_info(STREAM)).state.messages
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, inactive_threshold=60)
    subscription = await jetstream.pull_subscribe("", stream=STREAM, config=config)
    found: Counter[int] = Counter()
    read = 0
    while read < messages:
        for message in await subscription.fetch(FETCH, timeout=PATIENCE_SECONDS):
            read += 1
            found.update(int(number, 16) for number in _REQUEST.findall(message.data))
    return found


def expect_each_once(acknowledged: dict[int, int], stored: Counter[int]) -> None:
    """Raise VoidRunError where an acknowledged request is not stored whole and once; refused ones may be, or not."""
    wrong = {number: stored[number] for number, events in acknowledged.items() if stored[number] != events}
    if wrong:
        raise VoidRunError(f"{len(wrong)} of {len(acknowledged)} acknowledged requests are not stored once: {wrong}")
