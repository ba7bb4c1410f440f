"""`ws /ws/live` of a real query service."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from eventmill.control.apps import create_app
from eventmill.control.credentials import issue_key
from eventmill.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def keys(module_rollups: Any) -> dict[str, str]:
    """Keys by name of the apps `shop` and `blog`."""
    with psycopg.connect(module_rollups.address) as connection:
        _, shop = create_app(connection, "Shop", app_id="shop")
        _, blog = create_app(connection, "Blog", app_id="blog")
        both = issue_key(connection, "default", "read", ["shop", "blog"])
    return {"read": shop.read_key, "write": shop.write_key, "blog": blog.read_key, "both": both}


@pytest.fixture(scope="module")
def port(module_rollups: Any, keys: dict[str, str], start_query_service: Callable[[str], Settings]) -> int:
    return start_query_service(module_rollups.address).http_port


@contextlib.contextmanager
def subscribed(port: int, **message: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}/ws/live") as connection:
        connection.send(json.dumps({"type": "subscribe", **message}))
        yield connection


def received(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(timeout=20))
    return message


def set_events_today(rollups: Any, app_id: str, events: int) -> None:
    """The day's total, whatever it was."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rollups.execute("delete from rollups.metric where app_id = %(app_id)s", {"app_id": app_id})
    place = {"app_id": app_id, "local_date": start.date(), "period_start": start, "utc_offset_minutes": 0}
    for traffic in ("all", "human"):
        rollups.metric(traffic, "total", None, events=events, **place)


def test_it_sends_todays_numbers_at_once_and_when_they_change(
    port: int, keys: dict[str, str], module_rollups: Any
) -> None:
    set_events_today(module_rollups, "shop", 3)
    with subscribed(port, key=keys["read"]) as connection:
        first = received(connection)
        asked = httpx.get(
            f"http://127.0.0.1:{port}/api/metrics/today", headers={"Authorization": f"Bearer {keys['read']}"}
        ).json()
        assert (first["type"], first["data"]) == ("snapshot", asked["data"])
        assert set(first["meta"]) == set(asked["meta"])
        set_events_today(module_rollups, "shop", 4)
        assert received(connection)["data"][0]["events"] == 4


def test_a_key_of_several_apps_names_one(port: int, keys: dict[str, str], module_rollups: Any) -> None:
    set_events_today(module_rollups, "blog", 7)
    with subscribed(port, key=keys["both"], app_id="blog") as connection:
        assert received(connection)["data"][0]["events"] == 7


@pytest.mark.parametrize(
    ("key", "more", "code"),
    [
        ("em_r_nonsense", {}, 4401),
        (f"em_r_abcdefgh_{'x' * 43}", {}, 4401),
        ("write", {}, 4403),
        ("read", {"app_id": "blog"}, 4403),
        ("read", {"app_id": "missing"}, 4403),
        ("both", {}, 4400),
        ("read", {"type": "query"}, 4400),
    ],
)
def test_whoever_may_not_look_is_told_why(
    port: int, keys: dict[str, str], key: str, more: dict[str, str], code: int
) -> None:
    with subscribed(port, **({"key": keys.get(key, key)} | more)) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        assert closed.value.rcvd.reason.endswith((".", "}."))
        assert keys.get(key, key) not in closed.value.rcvd.reason


def test_a_second_message_ends_the_connection(port: int, keys: dict[str, str]) -> None:
    with subscribed(port, key=keys["read"]) as connection:
        connection.send("more")
        with pytest.raises(ConnectionClosed) as closed:
            _drain(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


def _drain(connection: ClientConnection) -> None:
    while True:
        connection.recv(timeout=20)
