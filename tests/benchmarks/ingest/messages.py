"""One event a message through the writer, against a nats-py fetch loop that does nothing; both read the same stream."""

from datetime import UTC, datetime

from nats.aio.client import Client

from eventmill.contracts.subjects import STREAM
from tests.benchmarks.ingest.baseline_run import run_baseline
from tests.benchmarks.ingest.broker_messages import publish
from tests.benchmarks.ingest.events import Events
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import APP, Room
from tests.benchmarks.ingest.scale import Scale
from tests.benchmarks.ingest.writer_run import WARM_UP, measure_writer, writer_side

FIGURE = Figure("one event per message vs a nats-py fetch loop that does nothing", must=0.65, aim=0.8)
SUBJECT = f"events.{APP}"


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """Both sides by turns."""
    count = scale.message_events
    ours, theirs = [], []
    with room.filled_broker(lambda client: fill(client, count)) as (broker, last):
        address = f"nats://127.0.0.1:{broker.port}"
        for _ in range(scale.repeats):
            with room.site(broker) as site:
                ours.append(measure_writer(site, last, count))
            answer = run_baseline("fetch_loop", address, STREAM, SUBJECT, count, int(count * WARM_UP))
            theirs.append(answer["events"] / answer["seconds"])
    return [compare(FIGURE, writer_side(ours), Side("fetch loop", "messages/s", theirs))]


async def fill(client: Client, count: int) -> int:
    """Publish `count` messages of one event and return the last sequence."""
    events = Events(datetime.now(UTC))
    return await publish(client, SUBJECT, (events.line(number) for number in range(count)))
