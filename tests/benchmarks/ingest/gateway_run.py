"""Runs a real gateway process under load and compares what it answered with what the broker holds."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import psutil

from tests.benchmarks.ingest.broker_messages import event_lines
from tests.benchmarks.ingest.load import CONNECTIONS, Load, put_load, request_ids
from tests.benchmarks.ingest.room import Room, Site, VoidRunError
from tests.benchmarks.ingest.scale import Scale

OURS = "ingest_service.gateway"
WARM_UP, MEASURED = "warmup", "measured"


class _Identified(msgspec.Struct):
    event_id: str


@contextmanager
def gateway(site: Site, module: str) -> Iterator[psutil.Process]:
    """A gateway that takes events, started as `python -m <module>`."""
    address = f"http://127.0.0.1:{site.settings.ingest_port}/health/ready"
    server = site.process("gateway", (sys.executable, "-m", module), lambda: _answers(address))
    server.start()
    assert server.process is not None
    try:
        yield psutil.Process(server.process.pid)
    finally:
        server.stop()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure_gateway(
    room: Room,
    scale: Scale,
    module: str,
    events_per_request: int = 1,
    *,
    connections: int = CONNECTIONS,
    is_publishing: bool = True,
) -> Load:
    """Load on a gateway with a broker of its own, after a warm-up; each answered event is on the stream exactly once.

    A gateway that publishes nothing is held to its answers alone: one for each request, and an empty stream.
    """
    with room.broker() as broker, room.site(broker) as site:
        with gateway(site, module) as process:
            loads = {
                run: _timed(process, put_load, site, run, events_per_request, seconds, connections)
                for run, seconds in ((WARM_UP, scale.load_warm_up_seconds), (MEASURED, scale.load_seconds))
            }
        _compare(site, loads, events_per_request, is_publishing=is_publishing)
    return loads[MEASURED]


def _timed(process: psutil.Process, put: Callable[..., Load], *arguments: object) -> Load:
    before = process.cpu_times()
    load = put(*arguments)
    after = process.cpu_times()
    return replace(load, cpu_seconds=after.user + after.system - before.user - before.system)


def _compare(site: Site, loads: dict[str, Load], events_per_request: int, *, is_publishing: bool) -> None:
    lines = site.connected(event_lines)
    decode = msgspec.json.Decoder(_Identified).decode
    stored = [decode(line).event_id for line in lines]
    answered = _answered(loads, events_per_request)
    if len(answered) != sum(load.requests for load in loads.values()) * events_per_request:
        raise VoidRunError("a request was answered twice")
    found = set(stored)
    if len(found) != len(stored):
        raise VoidRunError(f"{len(stored) - len(found)} events are on the stream twice")
    if not is_publishing:
        if stored:
            raise VoidRunError(f"{len(stored)} events were published by the gateway that should not")
        return
    # What was on its way when the load ended may be stored without its answer having been read.
    in_flight = len(found - answered)
    if answered - found or in_flight > len(loads) * CONNECTIONS * events_per_request:
        raise VoidRunError(f"{len(answered - found)} of {len(answered)} answered events are lost, {in_flight} too many")


def _answered(loads: dict[str, Load], events_per_request: int) -> set[str]:
    return {
        identifier
        for run, load in loads.items()
        for number in load.numbers
        for identifier in request_ids(run, number, events_per_request)
    }


def rates(loads: Sequence[Load], events_per_request: int = 1) -> list[float]:
    """Events per second of each run."""
    return [load.rate * events_per_request for load in loads]
