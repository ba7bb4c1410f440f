"""Single-event requests on 64 connections: the gateway, the same without any publish, and one publish per event."""

import statistics

from tests.benchmarks.ingest.gateway_run import OURS, measure_gateway, rates
from tests.benchmarks.ingest.load import Load
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import Room
from tests.benchmarks.ingest.scale import Scale

WITHOUT = Figure("gateway, single-event requests, 64 connections, vs the same without any publish", must=0.8, aim=0.9)
EACH = Figure("the same vs a gateway that awaits one publish per event", must=2.5, aim=4)
BASELINES = "tests.benchmarks.baselines"


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """All three by turns."""
    ours: list[Load] = []
    without: list[Load] = []
    each: list[Load] = []
    for _ in range(scale.repeats):
        ours.append(measure_gateway(room, scale, OURS))
        without.append(measure_gateway(room, scale, f"{BASELINES}.gateway_without_publish", is_publishing=False))
        each.append(measure_gateway(room, scale, f"{BASELINES}.gateway_publish_each"))
    side = Side(_named("gateway", ours), "events/s", rates(ours))
    return [
        compare(WITHOUT, side, Side(_named("without publish", without), "events/s", rates(without))),
        compare(EACH, side, Side(_named("a publish each", each), "events/s", rates(each))),
    ]


def _named(name: str, loads: list[Load]) -> str:
    p50 = statistics.median(load.p50_ms for load in loads)
    p99 = statistics.median(load.p99_ms for load in loads)
    cpu = statistics.median(load.cpu_seconds / load.requests for load in loads) * 1e6
    return f"{name} (p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu:.0f} µs of processor time a request)"
