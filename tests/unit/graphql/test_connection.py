"""graphql-transport-ws without a network: who may come, who may stay, and what ends a connection."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from eventmill.errors import NotReadyError
from query_service.graphql import connection as connections
from query_service.graphql import wire as wires
from query_service.graphql.connection import Connection
from query_service.graphql.context import Context
from query_service.graphql.gateway import Sender
from query_service.graphql.wire import Wire
from query_service.limits import RequestLimits
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader
from query_service.websocket.hub import Hub
from query_service.websocket.messages import Refusal

READER = Reader(("shop",), "read", False, "key:abc")
INIT = {"type": "connection_init", "payload": {"Authorization": "Bearer good"}}


class Client:
    """The other end: `say` sends, `heard` is what came; it takes nothing while `is_deaf`."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []
        self.is_deaf = False
        self.wire = Wire(self.said.get, self._take)
        self.reader: Reader | Exception = READER
        self.keys: list[str | None] = []
        self.hub = Hub()
        self.dropped = 0
        self.hub.dropped = SimpleNamespace(inc=self._drop)

    def say(self, message: Any) -> None:
        self.said.put_nowait(message if isinstance(message, str) else json.dumps(message))

    async def hears(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                for message in self.heard:
                    if message["type"] == kind:
                        self.heard.remove(message)
                        return message
                await asyncio.sleep(0)

    async def authenticate(self, key: str | None) -> Reader:
        self.keys.append(key)
        if isinstance(self.reader, Exception):
            raise self.reader
        return self.reader

    async def _take(self, text: str) -> None:
        if self.is_deaf:
            await asyncio.Event().wait()
        self.heard.append(json.loads(text))

    def _drop(self) -> None:
        self.dropped += 1


class FakePath:
    """Knows one app."""

    async def apps(self, _covered: Any) -> list[dict[str, Any]]:
        return [{"app_id": "shop", "name": "Shop", "time_zone": "UTC", "last_event_at": None, "silent_since": None}]


@pytest.fixture
async def client() -> Client:
    return Client()


def served(client: Client) -> asyncio.Task[None]:
    live, settings = SimpleNamespace(hub=client.hub), SimpleNamespace(graphql_introspection=False)
    state = State({"live": live, "settings": settings, "limits": RequestLimits(0), "path": FakePath()})
    context = Context(state, None, Sender(""))
    return asyncio.create_task(Connection(client.wire, context, client.authenticate).serve())


async def ended(task: asyncio.Task[None]) -> int:
    async with asyncio.timeout(5):
        with pytest.raises(Refusal) as refused:
            await task
    return refused.value.code


@pytest.mark.parametrize(
    "payload",
    [{"Authorization": "Bearer good"}, {"authorization": "bearer good"}, {"key": "good"}],
)
async def test_the_key_comes_in_connection_init(client: Client, payload: dict[str, str]) -> None:
    task = served(client)
    client.say({"type": "connection_init", "payload": payload})
    assert await client.hears("connection_ack") == {"type": "connection_ack"}
    assert client.keys == ["good"]
    client.wire.end(Refusal(1001, "over"))
    assert await ended(task) == 1001


@pytest.mark.parametrize(
    ("reader", "code"),
    [(Unauthorized("no"), 4401), (Forbidden("no"), 4403), (NotReadyError("no", "later"), 1013)],
)
async def test_whoever_may_not_read_is_not_let_in(client: Client, reader: Exception, code: int) -> None:
    client.reader = reader
    task = served(client)
    client.say(INIT)
    assert await ended(task) == code
    assert client.heard == []


async def test_nothing_is_answered_before_the_key_came(client: Client) -> None:
    task = served(client)
    client.say({"type": "subscribe", "id": "a", "payload": {"query": "{apps {appId}}"}})
    assert await ended(task) == 4401


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "[]",
        {"type": "stop"},
        {"type": "subscribe", "id": "a"},
        {"type": "subscribe", "id": 7, "payload": {"query": "{apps {appId}}"}},
        {"type": "subscribe", "id": "a", "payload": {"query": ["{apps {appId}}"]}},
        {"type": "subscribe", "id": "a" * 101, "payload": {"query": "{apps {appId}}"}},
        "[" * 100_000,
        " " * (256 * 1024 + 1),
    ],
)
async def test_what_is_no_message_ends_the_connection(client: Client, message: Any) -> None:
    task = served(client)
    client.say(INIT)
    client.say(message)
    assert await ended(task) == 4400


async def test_a_query_is_answered_and_completed(client: Client) -> None:
    task = served(client)
    client.say(INIT)
    client.say({"type": "subscribe", "id": "a", "payload": {"query": "{apps {appId}}"}})
    assert (await client.hears("next"))["payload"] == {"data": {"apps": [{"appId": "shop"}]}}
    assert await client.hears("complete") == {"type": "complete", "id": "a"}
    task.cancel()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{apps {" + "appId " * 300 + "}}", "TOO_LARGE"),
        ("{apps {", "SYNTAX"),
        ("{__schema {types {name}}}", "FORBIDDEN"),
        ("{nothing}", "BAD_REQUEST"),
    ],
)
async def test_a_document_that_is_refused_leaves_the_connection(client: Client, query: str, code: str) -> None:
    task = served(client)
    client.say(INIT)
    client.say({"type": "subscribe", "id": "a", "payload": {"query": query}})
    [error] = (await client.hears("error"))["payload"]
    assert error["extensions"]["code"] == code
    client.say({"type": "subscribe", "id": "b", "payload": {"query": "{apps {appId}}"}})
    assert (await client.hears("next"))["id"] == "b"
    task.cancel()


async def test_a_key_that_is_revoked_ends_the_connection(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 0.0)
    task = served(client)
    client.say(INIT)
    await client.hears("ping")
    client.reader = Unauthorized("revoked")
    assert await ended(task) == 4401


async def test_a_key_that_covers_other_apps_by_now_ends_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 0.0)
    task = served(client)
    client.say(INIT)
    await client.hears("ping")
    client.reader = Reader(("blog",), "read", False, "key:abc")
    assert await ended(task) == 4401


async def test_a_key_stays_good_while_nobody_can_tell(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 0.0)
    task = served(client)
    client.say(INIT)
    await client.hears("ping")
    client.reader = NotReadyError("no", "later")
    await client.hears("ping")
    assert not task.done()
    task.cancel()


async def test_a_client_that_takes_nothing_is_dropped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "SEND_SECONDS", 0.01)
    task = served(client)
    client.is_deaf = True
    client.say(INIT)
    assert (await ended(task), client.dropped) == (4408, 1)


async def test_a_client_that_talks_too_much_is_dropped(client: Client) -> None:
    task = served(client)
    client.say(INIT)
    for _ in range(40):
        client.say({"type": "ping"})
    assert await ended(task) == 4429


async def test_a_client_that_leaves_ends_quietly(client: Client) -> None:
    def gone() -> Callable[[], Any]:
        async def receive() -> str:
            raise WebSocketDisconnect(detail="gone")

        return receive

    client.wire = Wire(gone(), client.wire.send_json)  # type: ignore[arg-type] # nothing is sent
    await asyncio.wait_for(served(client), 5)
    assert client.keys == []
