"""A connection: signing in, following several questions, and everything that ends it or is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventmill.errors import NotReadyError
from query_service.problems import Forbidden
from query_service.query.errors import InvalidParameter
from query_service.reader import Reader
from query_service.websocket import connection as connection_module
from query_service.websocket import topic as topic_module
from query_service.websocket.hub import Hub
from tests.live_client import SHOP, Client, FakeWire, Numbers


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def hub() -> Hub:
    return Hub(max_clients=2)


@pytest.fixture
def readers() -> dict[str | None, Reader | Exception]:
    return {"good": SHOP, "write": Forbidden("A write key cannot read."), "away": NotReadyError("Postgres is away.")}


@pytest.fixture
async def client(hub: Hub, numbers: Numbers, readers: Any) -> AsyncIterator[Client]:
    client = Client(hub, numbers, readers)
    yield client
    client.task.cancel()
    await asyncio.gather(client.task, return_exceptions=True)


async def signed_in(client: Client) -> FakeWire:
    client.wire.say(type="auth", key="good")
    assert await client.wire.hear() == {"type": "ready", "apps": ["shop", "blog"]}
    return client.wire


def follow(wire: FakeWire, name: str, of: str = "views", interval: float = 0.25, app_id: str = "shop") -> None:
    wire.say(type="subscribe", id=name, query={"app_id": app_id, "name": of}, interval=interval)


async def test_several_questions_are_followed_over_one_connection(client: Client, hub: Hub, numbers: Numbers) -> None:
    wire = await signed_in(client)
    follow(wire, "a")
    assert await wire.hear() == {"type": "snapshot", "id": "a", "data": [1], "meta": {"of": "shop.views"}}
    follow(wire, "b", app_id="blog")
    assert (await wire.hear())["id"] == "b"
    numbers.values["blog.views"] = 7
    hub.note_update("blog")
    assert await wire.hear() == {"type": "snapshot", "id": "b", "data": [7], "meta": {"of": "blog.views"}}


async def test_nothing_is_sent_where_nothing_changed(client: Client, hub: Hub, numbers: Numbers) -> None:
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    hub.note_update("shop")
    await wire.hear_nothing(0.4)
    assert numbers.asked == ["shop.views"] * 2


async def test_an_id_that_is_subscribed_again_shows_the_other_question(
    client: Client, hub: Hub, numbers: Numbers
) -> None:
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    follow(wire, "a", of="visitors")
    assert (await wire.hear())["meta"] == {"of": "shop.visitors"}
    assert (hub.subscriptions, hub.topics) == (1, 1)


async def test_an_unsubscribed_id_is_silent(client: Client, hub: Hub, numbers: Numbers) -> None:
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    wire.say(type="unsubscribe", id="a")
    numbers.values["shop.views"] = 2
    hub.note_update("shop")
    await wire.hear_nothing(0.4)
    assert hub.topics == 0


async def test_one_computation_serves_all_who_follow_a_question(
    client: Client, hub: Hub, numbers: Numbers, readers: Any
) -> None:
    other = Client(hub, numbers, readers)
    for wire in (await signed_in(client), await signed_in(other)):
        follow(wire, "a", interval=60)
        assert (await wire.hear())["data"] == [1]
    assert numbers.asked == ["shop.views"]
    other.wire.incoming.put_nowait("")
    assert await other.ended() == "LeftError"
    assert hub.subscriptions == 1


async def test_changes_come_at_most_once_an_interval_and_the_last_one_counts(
    client: Client, hub: Hub, numbers: Numbers
) -> None:
    wire = await signed_in(client)
    follow(wire, "a", interval=0.5)
    await wire.hear()
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    for value in (2, 3, 4):
        numbers.values["shop.views"] = value
        hub.note_update("shop")
        await asyncio.sleep(0.01)
    assert (await wire.hear())["data"] == [4]
    assert loop.time() - started_at > 0.3


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "subscribe", "id": "a", "query": {"app_id": "secret", "name": "x"}}, "app_id"),
        ({"type": "subscribe", "id": "a", "query": {"name": "x"}}, "app_id"),
        ({"type": "subscribe", "id": "a"}, "query"),
        ({"type": "subscribe", "query": {"app_id": "shop", "name": "x"}}, "id"),
        ({"type": "subscribe", "id": "a", "query": {"app_id": "shop", "name": "x"}, "interval": 0.1}, "interval"),
        ({"type": "subscribe", "id": "a", "query": 7}, "type"),
        ({"type": "auth", "key": "good"}, "type"),
        ({"type": "nonsense"}, "type"),
    ],
)
async def test_what_cannot_be_meant_is_named_and_the_connection_goes_on(
    client: Client, message: dict[str, Any], field: str
) -> None:
    wire = await signed_in(client)
    wire.say(**message)
    refused = await wire.hear()
    assert (refused["type"], refused["field"]) == ("error", field)
    follow(wire, "good")
    assert (await wire.hear())["type"] == "snapshot"


async def test_a_question_that_is_refused_when_asked_ends_alone(client: Client, hub: Hub, numbers: Numbers) -> None:
    numbers.values["shop.views"] = InvalidParameter("metrics", "There is no metric 'x'.", "One of: events.")
    wire = await signed_in(client)
    follow(wire, "a")
    refused = await wire.hear()
    assert refused == {
        "type": "error",
        "id": "a",
        "field": "metrics",
        "rule": "One of: events.",
        "detail": "There is no metric 'x'.",
    }
    assert hub.topics == 0


async def test_what_is_live_is_asked_again_for_events_and_what_the_lake_answers_rarely(
    client: Client, hub: Hub, numbers: Numbers
) -> None:
    numbers.sources |= {"shop.now": "live", "shop.deep": "lake"}
    wire = await signed_in(client)
    for name in ("now", "deep", "views"):
        follow(wire, name, of=name)
        await wire.hear()
    for name in ("now", "deep", "views"):
        numbers.values[f"shop.{name}"] = 2
    hub.note_events("shop")
    assert (await wire.hear())["id"] == "now"
    await wire.hear_nothing(0.3)
    hub.note_update("shop")
    assert (await wire.hear())["id"] == "views"
    await wire.hear_nothing(0.3)


async def test_an_answer_that_fails_is_told_once_and_shown_again_when_it_is_back(
    client: Client, hub: Hub, numbers: Numbers
) -> None:
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    numbers.values["shop.views"] = OSError("away")
    hub.note_update("shop")
    assert await wire.hear() == {"type": "stale", "id": "a", "detail": topic_module.UNREADABLE}
    hub.note_update("shop")
    await wire.hear_nothing(0.3)
    numbers.values["shop.views"] = 1
    hub.note_update("shop")
    assert (await wire.hear())["type"] == "snapshot"


@pytest.mark.parametrize(("key", "code"), [("bad", 4401), (None, 4401), ("write", 4403), ("away", 1013)])
async def test_whoever_may_not_read_is_told_by_the_code(client: Client, key: str | None, code: int) -> None:
    client.wire.say(type="auth", key=key)
    assert await client.ended() == code


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"type": "unsubscribe", "id": "a"}', '{"type": "subscribe"}'])
async def test_a_first_message_that_says_not_who_asks_ends_the_connection(client: Client, text: str) -> None:
    client.wire.incoming.put_nowait(text)
    assert await client.ended() == 4400


async def test_a_key_that_is_revoked_ends_the_connection(
    client: Client, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.05)
    await signed_in(client)
    del readers["good"]
    assert await client.ended() == 4401


async def test_a_key_that_may_read_less_ends_the_connection(
    client: Client, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.05)
    await signed_in(client)
    readers["good"] = Reader(("shop",), "read", may_see_people=False, subject="key:abc")
    assert await client.ended() == 4401


async def test_a_good_key_stays_good_while_nobody_can_tell(
    client: Client, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.05)
    wire = await signed_in(client)
    readers["good"] = NotReadyError("Postgres is away.")
    assert [(await wire.hear())["type"] for _ in range(3)] == ["ping"] * 3


async def test_silence_is_broken_by_pings_with_what_is_known(
    client: Client, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.2)
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    assert await wire.hear() == {"type": "ping", "meta": {"of": "shop.views"}}


async def test_a_client_that_takes_nothing_is_dropped_and_holds_up_nobody(
    client: Client, hub: Hub, numbers: Numbers, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "SEND_SECONDS", 0.3)
    slow = Client(hub, numbers, readers)
    for wire in (await signed_in(client), await signed_in(slow)):
        follow(wire, "a")
        await wire.hear()
    slow.wire.takes_nothing = True
    numbers.values["shop.views"] = 2
    hub.note_update("shop")
    assert (await client.wire.hear())["data"] == [2]
    assert await slow.ended() == 4408
    assert hub.clients == 1


async def test_too_many_messages_end_the_connection(client: Client) -> None:
    wire = await signed_in(client)
    for _ in range(40):
        wire.say(type="unsubscribe", id="x")
    assert await client.ended() == 4429


async def test_a_connection_has_a_bounded_number_of_subscriptions(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "MAX_SUBSCRIPTIONS", 1)
    wire = await signed_in(client)
    follow(wire, "a")
    await wire.hear()
    follow(wire, "b")
    refused = await wire.hear()
    assert (refused["type"], refused["id"], refused["field"]) == ("error", "b", "id")


async def test_a_service_that_is_full_or_stops_says_so(
    client: Client, hub: Hub, numbers: Numbers, readers: Any
) -> None:
    await signed_in(client)
    second, third = (Client(hub, numbers, readers) for _ in range(2))
    assert await third.ended() == 1013
    hub.close()
    assert [await client.ended(), await second.ended()] == [1001, 1001]
    assert await Client(hub, numbers, readers).ended() == 1001


async def test_the_older_form_shows_todays_totals_without_an_id(client: Client, hub: Hub, numbers: Numbers) -> None:
    client.wire.say(type="subscribe", key="good", app_id="shop")
    assert await client.wire.hear() == {"type": "snapshot", "data": [1], "meta": {"of": "shop.today"}}
    client.wire.say(type="subscribe", key="good", app_id="blog")
    assert await client.ended() == 4400


@pytest.mark.parametrize(("app_id", "code"), [("secret", 4403), (None, 4400)])
async def test_the_older_form_refuses_an_app_that_is_not_the_keys(
    client: Client, app_id: str | None, code: int
) -> None:
    client.wire.say(type="subscribe", key="good", app_id=app_id)
    assert await client.ended() == code
