"""The live window on a real broker, and through a real query service."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from eventmill import stream
from eventmill.contracts.subjects import STREAM, updated_subject
from eventmill.control.apps import create_app
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from query_service.live.reader import StreamReader
from query_service.live.service import LiveWindows
from query_service.live.windows import Bounds
from tests.streams import make_stream

pytestmark = pytest.mark.integration

NOBODY = {"user_id", "anonymous_id", "session_id"}


def event(number: int, **fields: Any) -> bytes:
    return json.dumps(
        {"event_id": f"e{number}", "event_type": "page_view", "anonymous_id": f"a{number}", **fields}
    ).encode()


async def publish(settings: Settings, *events: bytes, app_id: str = "shop") -> None:
    await asyncio.to_thread(make_stream, settings)
    client = await stream.connect(settings, "test")
    await client.jetstream().publish(f"events.{app_id}", b"\n".join(events))
    await client.close()


@contextlib.asynccontextmanager
async def reading(settings: Settings, updated: list[str] | None = None) -> AsyncIterator[LiveWindows]:
    """Windows that are being filled."""
    windows = LiveWindows(Bounds(100_000, 10**8))
    reader = StreamReader(settings, windows, (updated if updated is not None else []).append)
    reader.start()
    yield windows
    await reader.stop()


async def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.02)


async def views(windows: LiveWindows) -> int:
    found: int = (await windows.moment("shop", "5m", is_newest=True)).data["total_views"]
    return found


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """Settings of an installation with the app `shop`."""
    with psycopg.connect(settings.database_url or "") as connection:
        create_app(connection, "Shop", app_id="shop")
    return settings


async def test_a_start_reads_the_last_hour_again_and_then_whatever_comes(shop: Settings) -> None:
    await publish(shop, event(1), event(2), event(2), b"not json")
    for _ in range(2):
        async with reading(shop) as windows:
            assert windows.problems() != "ok"
            await until(lambda: windows.is_rebuilt)
            assert (windows.problems(), await views(windows)) == ("ok", 2)
    async with reading(shop) as windows:
        await until(lambda: windows.is_rebuilt)
        await publish(shop, event(2), event(3))
        await until(lambda: windows.rows == 3)
        assert await views(windows) == 3


async def test_a_restart_of_the_broker_loses_and_doubles_nothing(
    own_nats: tuple[NatsServer, Server], shop: Settings
) -> None:
    nats_server, server = own_nats
    settings = shop.model_copy(update={"nats_url": f"nats://127.0.0.1:{nats_server.port}"})
    await publish(settings, *map(event, range(50)))
    async with reading(settings) as windows:
        await until(lambda: windows.rows == 50)
        server.kill()
        await until(lambda: windows.problems() != "ok")
        assert await views(windows) == 50
        again = nats_server.server()
        await asyncio.to_thread(again.start)
        await publish(settings, *map(event, range(40, 60)))
        await until(lambda: windows.rows == 60)
        await until(lambda: windows.problems() == "ok")
        again.stop()


async def test_a_stream_that_was_replaced_is_read_from_its_start(shop: Settings) -> None:
    await publish(shop, event(1))
    async with reading(shop) as windows:
        await until(lambda: windows.rows == 1)
        client = await stream.connect(shop, "test")
        await client.jetstream().delete_stream(STREAM)
        await client.close()
        await publish(shop, event(2), event(3))
        await until(lambda: windows.is_rebuilt and windows.rows == 2)


async def test_updates_of_aggregates_are_passed_on(shop: Settings) -> None:
    await publish(shop, event(1))
    updated: list[str] = []
    async with reading(shop, updated) as windows:
        await until(lambda: windows.is_rebuilt)
        client = await stream.connect(shop, "test")
        await client.publish(updated_subject("shop"), b"{}")
        await until(lambda: updated == ["shop"])
        await client.close()


@pytest.fixture(scope="module")
def keys(module_rollups: Any) -> dict[str, str]:
    """Keys of the apps `shop` and `blog`; `people` may see people."""
    with psycopg.connect(module_rollups.address) as connection:
        _, shop = create_app(connection, "Shop", app_id="shop")
        _, blog = create_app(connection, "Blog", app_id="blog")
    return {"read": shop.read_key, "people": shop.admin_key, "blog": blog.read_key}


@pytest.fixture(scope="module")
def service(module_rollups: Any, keys: dict[str, str], start_query_service: Callable[[str], Settings]) -> Settings:
    return start_query_service(module_rollups.address)


def get(service: Settings, key: str, path: str = "live", **parameters: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"http://127.0.0.1:{service.http_port}/api/{path}", params=parameters, headers=headers)


def post(service: Settings, key: str, question: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{service.http_port}/api/v2/query"
    return httpx.post(url, json=question, headers=headers, timeout=30).raise_for_status().json()


@contextlib.contextmanager
def signed_in(service: Settings, key: str, path: str = "/ws/live", **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{service.http_port}{path}", **options) as connection:
        connection.send(json.dumps({"type": "auth", "key": key}))
        yield connection


def heard(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(timeout=20))
    return message


def say(connection: ClientConnection, **message: Any) -> None:
    connection.send(json.dumps(message))


def test_an_event_is_shown_at_once_in_rest_and_over_websocket(service: Settings, keys: dict[str, str]) -> None:
    question = {"metrics": ["events", "unique_visitors"], "date_range": "5m"}
    with signed_in(service, keys["read"], "/ws/dashboard") as connection:
        assert heard(connection) == {"type": "ready", "apps": ["shop"]}
        say(connection, type="subscribe", id="now", live=True, window="5m", interval=0.25)
        say(connection, type="subscribe", id="count", query=question, interval=0.25)
        first = {message["id"]: message for message in (heard(connection), heard(connection))}
        assert first["count"]["data"] == [{"events": 0, "unique_visitors": 0}]
        assert first["count"]["meta"]["source"] == "live"
        asyncio.run(publish(service, event(1, page_url="/a", country="DE"), event(2, page_url="/a", user_id="u")))
        found: dict[str, Any] = {}
        while not (found.get("count") == [{"events": 2, "unique_visitors": 2}] and found["now"]["events"]):
            message = heard(connection)
            found[message["id"]] = message["data"]
    assert found["now"]["top_pages"] == [{"url": "/a", "views": 2, "visitors": 2}]
    answer = get(service, keys["read"], window="10m").json()
    assert {"total_views": 2, "unique_visitors": 2, "crashes": 0}.items() <= answer["data"].items()
    assert {row["country"]: row["events"] for row in answer["data"]["by_country"]} == {"DE": 1, None: 1}
    assert answer["data"]["counters"]["events_today"] == 0
    assert (answer["meta"]["exact"], answer["meta"]["is_rebuilt"]) == (False, True)


def test_ids_of_persons_are_shown_to_whoever_may_see_people_alone(service: Settings, keys: dict[str, str]) -> None:
    asyncio.run(publish(service, event(70, user_id="secret person")))
    shown: list[dict[str, Any]] = []
    while not any(row["id"] == "e70" for row in shown):
        shown = get(service, keys["people"]).json()["data"]["events"]
    assert next(row for row in shown if row["id"] == "e70")["user_id"] == "secret person"
    assert "secret person" not in get(service, keys["read"]).text
    assert not NOBODY & set(get(service, keys["read"]).json()["data"]["events"][0])


def test_an_app_of_another_key_is_as_if_it_did_not_exist(service: Settings, keys: dict[str, str]) -> None:
    refused = [get(service, keys["blog"], app_id=app_id) for app_id in ("shop", "missing")]
    assert [one.status_code for one in refused] == [404, 404]
    assert refused[0].text.replace("shop", "missing") == refused[1].text
    assert get(service, keys["blog"]).json()["data"]["total_views"] == 0
    with signed_in(service, keys["blog"]) as connection:
        heard(connection)
        for app_id in ("shop", "missing"):
            say(connection, type="subscribe", id="a", live=True, app_id=app_id)
            message = heard(connection)
            assert (message["type"], message["field"]) == ("error", "app_id")


def test_an_unknown_window_names_those_there_are(service: Settings, keys: dict[str, str]) -> None:
    refused = get(service, keys["read"], window="7d")
    assert (refused.status_code, refused.json()["field"]) == (400, "window")
    assert refused.json()["rule"] == "One of: 5m, 10m, 60m."


def test_pages_of_other_origins_are_refused(service: Settings, keys: dict[str, str]) -> None:
    evil: Any = "https://evil.example"
    with (
        connect(f"ws://127.0.0.1:{service.http_port}/ws/live", origin=evil) as connection,
        pytest.raises(ConnectionClosed) as closed,
    ):
        heard(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403
    own = f"http://127.0.0.1:{service.http_port}"
    with signed_in(service, keys["read"], origin=own) as connection:
        assert heard(connection)["type"] == "ready"


def test_a_client_that_reads_nothing_holds_up_nobody(service: Settings, keys: dict[str, str]) -> None:
    with signed_in(service, keys["read"]) as slow, signed_in(service, keys["read"]) as quick:
        for connection in (slow, quick):
            say(connection, type="subscribe", id="now", live=True, interval=0.25)
        assert heard(quick)["type"] == "ready"
        assert heard(quick)["type"] == "snapshot"
        for number in range(5):
            asyncio.run(publish(service, event(100 + number)))
            started_at = time.monotonic()
            while event_ids(heard(quick))[:1] != [f"e{100 + number}"]:
                assert time.monotonic() - started_at < 10


def event_ids(message: dict[str, Any]) -> list[str]:
    return [row["id"] for row in message["data"]["events"]]


def test_a_question_has_the_same_answer_over_rest_and_websocket(service: Settings, keys: dict[str, str]) -> None:
    questions = [
        {"metrics": ["events", "unique_sessions"], "date_range": "60m"},
        {"metrics": ["page_views", "unique_visitors"], "dimensions": ["page_url"], "date_range": "60m"},
        {"metrics": ["events"], "dimensions": ["country"], "filters": [["is", "country", ["DE"]]], "date_range": "60m"},
        {"metrics": ["unique_visitors"], "date_range": "7d", "granularity": "day"},
        {"metrics": ["bounce_rate", "events"], "date_range": "today", "compare": "previous_period"},
    ]
    with signed_in(service, keys["read"]) as connection:
        heard(connection)
        for number, question in enumerate(questions):
            say(connection, type="subscribe", id=str(number), query=question, interval=60)
        found = {int(message["id"]): message for message in (heard(connection) for _ in questions)}
    for number, question in enumerate(questions):
        answer = post(service, keys["read"], question)
        assert answer["data"] == found[number]["data"]
        assert answer["meta"]["source"] == found[number]["meta"]["source"]
    assert [found[number]["meta"]["source"] for number in range(4)] == ["live", "live", "live", "rollup"]


def test_windows_and_connections_are_in_the_metrics(service: Settings, keys: dict[str, str]) -> None:
    asyncio.run(publish(service, event(200)))
    with signed_in(service, keys["read"]) as connection:
        heard(connection)
        text = httpx.get(f"http://127.0.0.1:{service.http_port}/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["eventmill_query_live_clients"]) >= 1
    assert float(values["eventmill_query_live_bytes"]) > 0
    assert "eventmill_query_live_lag_seconds" in values
