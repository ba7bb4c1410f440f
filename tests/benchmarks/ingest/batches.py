"""Requests of 500 events through the gateway, against the writer alone on envelopes of 500."""

from datetime import UTC, datetime

from tests.benchmarks.ingest.envelopes import ENVELOPE, fill_envelopes
from tests.benchmarks.ingest.events import Events
from tests.benchmarks.ingest.gateway_run import OURS, measure_gateway, rates
from tests.benchmarks.ingest.load import Load
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import Room
from tests.benchmarks.ingest.scale import Scale
from tests.benchmarks.ingest.writer_run import WriterRate, measure_writer, writer_side

FIGURE = Figure("gateway, batches of 500, events/s, vs the writer alone", must=0.5, aim=0.8)
# What some servers send at once; with 64 of them a batch would wait behind 32,000 events.
CONNECTIONS = 8


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """Both sides by turns, each with a broker of its own."""
    gateway: list[Load] = []
    writer: list[WriterRate] = []
    events = Events(datetime.now(UTC))
    with room.filled_broker(lambda client: fill_envelopes(client, events, scale.envelope_events)) as (broker, last):
        for _ in range(scale.repeats):
            gateway.append(measure_gateway(room, scale, OURS, ENVELOPE, connections=CONNECTIONS))
            with room.site(broker) as site:
                writer.append(measure_writer(site, last, scale.envelope_events))
    ours = Side(f"gateway ({CONNECTIONS} connections)", "events/s", rates(gateway, ENVELOPE))
    return [compare(FIGURE, ours, writer_side(writer))]
