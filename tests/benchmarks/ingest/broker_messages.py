"""Puts messages on a broker, and reads what is there."""

import asyncio
from collections.abc import Iterable, Iterator

from nats.aio.client import Client
from nats.js import api
from nats.js.client import JetStreamContext

from eventmill.contracts.envelope import split_body, unwrap
from eventmill.contracts.subjects import STREAM
from tests.benchmarks.ingest.room import VoidRunError

IN_FLIGHT = 64
# Messages of up to 2 MB each: the broker drops a reader that is more than 64 MB behind.
FETCH = 25
PATIENCE_SECONDS = 20


async def publish(client: Client, subject: str, bodies: Iterable[bytes]) -> int:
    """Publish each body as one message, in order, and return the last sequence once the broker has them all."""
    jetstream = client.jetstream(publish_async_max_pending=IN_FLIGHT)
    confirmations: list[asyncio.Future[api.PubAck]] = []
    last = 0
    for body in bodies:
        confirmations.append(await jetstream.publish_async(subject, body, wait_stall=PATIENCE_SECONDS))
        if len(confirmations) >= 1_000:
            last = await _last(confirmations)
    return max(last, await _last(confirmations))


async def _last(confirmations: list[asyncio.Future[api.PubAck]]) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        sequences = [(await confirmation).seq for confirmation in confirmations]
    confirmations.clear()
    return max(sequences, default=0)


async def event_lines(client: Client) -> list[bytes]:
    """Every event on the stream of envelopes, as its bytes."""
    jetstream = client.jetstream()
    count = (await jetstream.stream_info(STREAM)).state.messages
    return [line for body in await bodies(jetstream, STREAM, count) for line in _lines(body)]


async def bodies(jetstream: JetStreamContext, name: str, count: int) -> list[bytes]:
    """Bodies of all messages of a stream. Raises VoidRunError where there are not `count`."""
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, inactive_threshold=60)
    subscription = await jetstream.pull_subscribe("", stream=name, config=config)
    found: list[bytes] = []
    while len(found) < count:
        try:
            found += [message.data for message in await subscription.fetch(FETCH, timeout=PATIENCE_SECONDS)]
        except TimeoutError:
            raise VoidRunError(f"stream {name} gave {len(found)} of {count} messages") from None
    await subscription.unsubscribe()
    return found


def _lines(body: bytes) -> Iterator[bytes]:
    return (unwrap(line) for line in split_body(body))
