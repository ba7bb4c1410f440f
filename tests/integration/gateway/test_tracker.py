"""The Python client's tracker against a real gateway and broker."""

import asyncio

import httpx
import pytest
from nats.js import JetStreamContext

from eventmill.control.apps import IssuedKeys
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from eventmill_client import ProblemError, Tracker
from tests.gateway_calls import StartGateway, until_answers
from tests.snippet_site import Arrived

pytestmark = pytest.mark.integration


def address(gateway: httpx.AsyncClient) -> str:
    return str(gateway.base_url)


async def test_events_go_in_batches_and_the_rest_at_the_end(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    def work() -> list[str]:
        with Tracker(address(gateway), keys.write_key, batch_events=2) as tracker:
            return [tracker.track("order", {"number": number}, user_id="u1") for number in range(3)]

    event_ids = await asyncio.to_thread(work)
    events = await Arrived(jetstream).count(3)
    assert [event.event_id for event in events] == event_ids
    assert {(event.event_type, event.user_id, event.source) for event in events} == {("order", "u1", "server")}


async def test_a_batch_that_is_too_large_goes_in_parts(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    def work() -> None:
        with Tracker(address(gateway), keys.write_key) as tracker:
            for _ in range(40):
                tracker.track("note", {"text": "x" * 25_000}, user_id="u1")

    await asyncio.to_thread(work)
    assert len({event.event_id for event in await Arrived(jetstream).count(40)}) == 40


async def test_what_is_refused_for_now_is_sent_again_with_the_same_id(
    keys: IssuedKeys, settings: Settings, start_gateway: StartGateway, own_nats: tuple[NatsServer, Server]
) -> None:
    broker, server = own_nats
    places = {"nats_url": f"nats://127.0.0.1:{broker.port}", "nats_monitor_url": None}
    gateway = await start_gateway(settings.model_copy(update=places))
    await until_answers(gateway, "/health/ready")
    pauses: list[float] = []

    def revive(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            server.start()

    def work() -> tuple[list[float], str]:
        with Tracker(address(gateway), keys.write_key, sleep=revive) as tracker:
            return pauses, tracker.track("order", user_id="u1", event_id="order-1")

    server.stop()
    await asyncio.to_thread(work)
    assert pauses[0] >= 1  # the gateway's Retry-After
    again = await gateway.post(
        "/v1/events",
        json={"event_id": "order-1", "event_type": "order", "user_id": "u1"},
        headers={"Authorization": f"Bearer {keys.write_key}"},
    )
    assert again.json()["duplicate"] == 1


async def test_a_wrong_key_is_told_and_the_events_still_wait(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    def work() -> int:
        tracker = Tracker(address(gateway), keys.read_key)
        tracker.track("order", user_id="u1")
        with pytest.raises(ProblemError) as refused:
            tracker.flush()
        with pytest.raises(ProblemError):
            tracker.close()
        return refused.value.status

    assert await asyncio.to_thread(work) == 403
