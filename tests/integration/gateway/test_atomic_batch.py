"""Envelopes of several apps that go out together: whatever becomes of the batch, each is stored once, or refused."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import psutil
import pytest
from nats.js import JetStreamContext
from prometheus_client import CollectorRegistry

from eventmill import stream
from eventmill.contracts.subjects import HEADER_MSG_ID, STREAM
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.stream import StreamFullError
from ingest_service.gateway.group_commit import Message
from ingest_service.gateway.publish import Broker

pytestmark = pytest.mark.integration
StartBroker = Callable[[Settings], Awaitable[Broker]]


@pytest.fixture
async def start_broker() -> AsyncIterator[StartBroker]:
    """Connects the gateway's side of a broker."""
    opened: list[tuple[Broker, asyncio.Task[None]]] = []

    async def start(settings: Settings) -> Broker:
        broker = Broker(settings, CollectorRegistry())
        opened.append((broker, asyncio.create_task(broker.watch())))
        async with asyncio.timeout(60):
            while True:
                try:
                    await broker.check()
                except NotReadyError:
                    await asyncio.sleep(0.02)
                else:
                    return broker

    yield start
    for broker, task in opened:
        task.cancel()
        await broker.close()


def message(app_id: str, body: bytes = b"{}", seconds: float = 20) -> Message:
    return Message(app_id, body, {HEADER_MSG_ID: str(uuid.uuid4())}, time.monotonic() + seconds)


async def stored(jetstream: JetStreamContext) -> list[tuple[str, str]]:
    """App and message id of everything on the stream."""
    last = (await jetstream.stream_info(STREAM)).state.last_seq
    found = [await jetstream.get_msg(STREAM, seq) for seq in range(1, last + 1)]
    return [((one.subject or "").removeprefix("events."), (one.headers or {})[HEADER_MSG_ID]) for one in found]


def named(messages: list[Message]) -> list[tuple[str, str]]:
    return [(one.app_id, one.headers[HEADER_MSG_ID]) for one in messages]


async def test_a_batch_is_stored_once_and_in_order(
    start_broker: StartBroker, settings: Settings, jetstream: JetStreamContext
) -> None:
    broker = await start_broker(settings)
    messages = [message(f"app{number}") for number in range(200)]
    assert await broker.publish_together(messages) == [None] * 200
    assert await stored(jetstream) == named(messages)
    first = await jetstream.get_msg(STREAM, 1)
    assert "Nats-Batch-Id" in (first.headers or {})


async def test_a_batch_with_a_message_that_is_stored_already_doubles_and_loses_nothing(
    start_broker: StartBroker, settings: Settings, jetstream: JetStreamContext
) -> None:
    broker = await start_broker(settings)
    messages = [message("shop"), message("blog"), message("docs")]
    await broker.publish(messages[1])
    assert await broker.publish_together(messages) == [None] * 3
    assert sorted(await stored(jetstream)) == sorted(named(messages))


async def test_a_batch_that_is_committed_after_its_time_doubles_nothing(
    start_broker: StartBroker, settings: Settings, own_nats: tuple[NatsServer, Server], jetstream: JetStreamContext
) -> None:
    nats_server, handle = own_nats
    assert handle.process is not None
    changes = {
        "nats_url": f"nats://127.0.0.1:{nats_server.port}",
        "nats_monitor_url": f"http://127.0.0.1:{nats_server.monitor_port}",
    }
    shaky = settings.model_copy(update=changes)
    broker = await start_broker(shaky)
    messages = [message("shop"), message("blog"), message("docs")]
    process = psutil.Process(handle.process.pid)
    process.suspend()
    try:
        outcome = asyncio.create_task(broker.publish_together(messages))
        # Past the batch's own time: by then each message has been sent for itself too, behind the batch.
        await asyncio.sleep(1.2)
    finally:
        process.resume()
    assert await outcome == [None] * 3
    client = await stream.connect(shaky, "test")
    assert await stored(client.jetstream()) == named(messages)
    await client.close()


async def test_a_stream_without_atomic_batches_takes_the_envelopes_one_by_one(
    start_broker: StartBroker, settings: Settings, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(replace(stream.stream_config(settings), allow_atomic=False))
    broker = await start_broker(settings)
    messages = [message("shop"), message("blog")]
    assert await broker.publish_together(messages) == [None] * 2
    assert sorted(await stored(jetstream)) == sorted(named(messages))


async def test_where_the_stream_has_no_room_for_all_each_envelope_hears_of_itself(
    start_broker: StartBroker, settings: Settings, jetstream: JetStreamContext
) -> None:
    broker = await start_broker(settings.model_copy(update={"stream_max_bytes": 1024**2}))
    messages = [message("shop", b"x" * 600_000), message("blog", b"x" * 600_000), message("docs")]
    outcomes = await broker.publish_together(messages)
    kept = [one for one, outcome in zip(messages, outcomes, strict=True) if outcome is None]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [StreamFullError]
    assert len(kept) == 2
    assert sorted(await stored(jetstream)) == sorted(named(kept))


async def test_a_batch_at_a_broker_that_is_away_is_refused_in_time(
    start_broker: StartBroker, settings: Settings, own_nats: tuple[NatsServer, Server]
) -> None:
    nats_server, handle = own_nats
    changes = {"nats_url": f"nats://127.0.0.1:{nats_server.port}", "nats_monitor_url": None}
    broker = await start_broker(settings.model_copy(update=changes))
    handle.kill()
    outcomes = await broker.publish_together([message("shop", seconds=0.5), message("blog", seconds=0.5)])
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
