"""Envelopes of 500 events through the whole writer, against the plain worker that inserts event by event."""

from datetime import UTC, datetime

import psycopg
from nats.aio.client import Client
from nats.js import api

from eventmill.embedded.nats import NatsServer
from tests.benchmarks.ingest.baseline_run import run_baseline
from tests.benchmarks.ingest.broker_messages import publish
from tests.benchmarks.ingest.events import Events, event_id
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import APP, Room, Site
from tests.benchmarks.ingest.scale import Scale
from tests.benchmarks.ingest.writer_run import WARM_UP, expect_exactly, measure_writer, writer_side

FIGURE = Figure("envelopes through the whole writer vs the plain per-event worker", must=60, aim=150)
ENVELOPE = 500
SINGLES = "SINGLES"
SINGLES_SUBJECT = "singles.shop"


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """Both sides by turns, from two streams of one broker that were filled before."""
    ours, theirs = [], []
    with room.filled_broker(lambda client: fill(client, scale)) as (broker, last):
        for _ in range(scale.repeats):
            with room.site(broker) as site:
                ours.append(measure_writer(site, last, scale.envelope_events))
            with room.site(broker) as site:
                theirs.append(measure_worker(site, broker, scale.worker_events))
    return [compare(FIGURE, writer_side(ours), Side("worker", "events/s", theirs))]


async def fill(client: Client, scale: Scale) -> int:
    """Envelopes on the writer's stream, single events on the worker's; the last sequence of the former."""
    events = Events(datetime.now(UTC))
    await client.jetstream().add_stream(api.StreamConfig(name=SINGLES, subjects=[SINGLES_SUBJECT]))
    await publish(client, SINGLES_SUBJECT, (events.line(number) for number in range(scale.worker_events)))
    return await fill_envelopes(client, events, scale.envelope_events)


async def fill_envelopes(client: Client, events: Events, count: int) -> int:
    """Publish `count` events in envelopes of 500 and return the last sequence."""
    bodies = (events.envelope(first, ENVELOPE) for first in range(0, count, ENVELOPE))
    return await publish(client, f"events.{APP}", bodies)


def measure_worker(site: Site, broker: NatsServer, events: int) -> float:
    """Events per second of the plain worker; each of them is in its table exactly once."""
    site.connected(forget_worker)
    database = site.settings.database_address
    address = f"nats://127.0.0.1:{broker.port}"
    answer = run_baseline("event_worker", address, SINGLES, SINGLES_SUBJECT, database, events, int(events * WARM_UP))
    with psycopg.connect(database) as connection:
        ids = [row[0] for row in connection.execute("select event_id from event")]
    expect_exactly(ids, map(event_id, range(events)), "table")
    return float(answer["events"] / answer["seconds"])


async def forget_worker(client: Client) -> None:
    """Let the next worker start at the beginning of its stream."""
    for consumer in await client.jetstream().consumers_info(SINGLES):
        await client.jetstream().delete_consumer(SINGLES, consumer.name)
