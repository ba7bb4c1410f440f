"""The hub behind `ws /ws/live`: one question a second for all who look on, and no client that holds up another."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from query_service.query.answer import Answer, Meta
from query_service.query.errors import UnknownApp
from query_service.websocket import messages
from query_service.websocket.hub import LiveHub
from query_service.websocket.messages import Refusal, decode_subscribe

SOON = 5.0


class Numbers:
    """Today's events of an app, or an error, and how often they were asked for."""

    def __init__(self) -> None:
        self.events: int | Exception = 1
        self.asked = 0

    async def ask(self, app_id: str) -> Answer:
        self.asked += 1
        if isinstance(self.events, Exception):
            raise self.events
        meta = Meta(
            as_of=datetime.now(UTC),
            complete_through=None,
            late_pending=0,
            source="rollup",
            exact=True,
            definition_version=None,
            mixed=False,
            bots="",
            range={},
        )
        return Answer(data=[{"app_id": app_id, "events": self.events}], meta=meta)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def hub(numbers: Numbers) -> LiveHub:
    return LiveHub(numbers.ask, poll_seconds=0.01, max_clients=2)


async def taken(subscription: Any) -> dict[str, Any]:
    message = await subscription.take(SOON)
    assert message is not None
    return dict(messages.msgspec.json.decode(message))


async def test_a_change_reaches_everybody_once(hub: LiveHub, numbers: Numbers) -> None:
    async with hub.subscribe("shop") as first, hub.subscribe("shop") as second:
        assert [(await taken(one))["data"][0]["events"] for one in (first, second)] == [1, 1]
        numbers.events = 2
        assert [(await taken(one))["data"][0]["events"] for one in (first, second)] == [2, 2]
        asked = numbers.asked
        assert await first.take(0.1) is None
        assert numbers.asked > asked


async def test_who_comes_later_gets_the_numbers_at_once(hub: LiveHub, numbers: Numbers) -> None:
    async with hub.subscribe("shop") as first:
        await taken(first)
        async with hub.subscribe("shop") as second:
            assert (await taken(second))["type"] == "snapshot"


async def test_a_slow_client_gets_the_newest_numbers_only(hub: LiveHub, numbers: Numbers) -> None:
    async with hub.subscribe("shop") as slow, hub.subscribe("shop") as quick:
        for events in (1, 2, 3):
            numbers.events = events
            assert (await taken(quick))["data"][0]["events"] == events
        assert (await taken(slow))["data"][0]["events"] == 3
        assert await slow.take(0.05) is None


async def test_trouble_is_told_once_and_its_end_is_a_snapshot(hub: LiveHub, numbers: Numbers) -> None:
    async with hub.subscribe("shop") as subscription:
        await taken(subscription)
        numbers.events = OSError("no route")
        assert (await taken(subscription))["type"] == "stale"
        assert await subscription.take(0.05) is None
        numbers.events = 1
        assert (await taken(subscription))["type"] == "snapshot"


@pytest.mark.parametrize(("error", "code"), [(UnknownApp("shop"), 4403), (RuntimeError("unforeseen"), 1011)])
async def test_an_app_that_goes_and_a_failure_end_the_connection(
    hub: LiveHub, numbers: Numbers, error: Exception, code: int
) -> None:
    numbers.events = error
    async with hub.subscribe("shop") as subscription:
        with pytest.raises(Refusal) as refused:
            await subscription.take(SOON)
        assert refused.value.code == code
        numbers.events = 1
        async with hub.subscribe("shop") as later:
            assert (await taken(later))["type"] == "snapshot"


async def test_nobody_asks_when_nobody_looks(hub: LiveHub, numbers: Numbers) -> None:
    async with hub.subscribe("shop") as subscription:
        await taken(subscription)
    await asyncio.sleep(0)
    asked = numbers.asked
    await asyncio.sleep(0.05)
    assert numbers.asked == asked


async def test_there_are_so_many_places_and_no_more(hub: LiveHub) -> None:
    with hub.place():
        with hub.place(), pytest.raises(Refusal) as refused, hub.place():
            pass
        with hub.place():
            pass
    assert refused.value.code == 1013


async def test_a_stop_of_the_service_ends_every_subscription(hub: LiveHub) -> None:
    async with hub.subscribe("shop") as subscription:
        hub.close()
        with pytest.raises(Refusal) as refused:
            await subscription.take(SOON)
    assert refused.value.code == 1001


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"type": "unsubscribe"}', '{"type": "subscribe"}', '{"type": "subscribe", "key": 7}', "[" * 5000],
)
def test_a_first_message_that_is_no_subscription_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_subscribe(text)
    assert refused.value.code == 4400
    assert len(refused.value.reason.encode()) <= 123
