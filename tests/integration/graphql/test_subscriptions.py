"""Subscriptions of a real query service, as a client of graphql-transport-ws has them."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from eventmill.contracts.subjects import updated_subject
from eventmill.stream import connect as connect_to_nats
from tests.graphql_calls import PROTOCOL, connected, heard, subscribe
from tests.shop_service import Service

pytestmark = pytest.mark.integration

SUMMARY = "timestamp pageviews uniqueUsers crashCount avgSessionDuration"


def tell(service: Service, app_id: str, **update: Any) -> None:
    """What the pipeline publishes once it has computed something."""

    async def publish() -> None:
        client = await connect_to_nats(service.settings, "test")
        await client.publish(updated_subject(app_id), json.dumps(update).encode())
        await client.flush()
        await client.close()

    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, publish()).result()


def view_today(rollups: Any, page: str, views: int) -> None:
    """Views of a page in the running UTC day of the app `blog`."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rollups.execute("delete from rollups.metric where app_id = 'blog'")
    place = {"app_id": "blog", "local_date": start.date(), "period_start": start, "utc_offset_minutes": 0}
    rollups.metric("human", "page_url", page, page_views=views, visitors=1, **place)


def test_live_metrics_come_at_once(service: Service) -> None:
    with connected(service) as connection:
        subscribe(connection, f'subscription {{liveMetrics(appId: "shop", interval: 0.25) {{{SUMMARY}}}}}')
        message = heard(connection)
        found = message["payload"]["data"]["liveMetrics"]
        assert datetime.fromisoformat(found.pop("timestamp")).tzinfo is not None
        assert found == {"pageviews": 0, "uniqueUsers": 0, "crashCount": 0, "avgSessionDuration": None}
        assert message["payload"]["extensions"]["meta"]["liveMetrics"]["source"] == "live"


def test_a_page_is_sent_whenever_it_changes(service: Service, graphql_rollups: Any) -> None:
    view_today(graphql_rollups, "/news", 3)
    with connected(service, "blog") as connection:
        subscribe(connection, 'subscription {livePageMetrics(pageUrl: "/news") {pageUrl viewCount}}')
        assert heard(connection)["payload"]["data"] == {"livePageMetrics": {"pageUrl": "/news", "viewCount": 3}}
        view_today(graphql_rollups, "/news", 4)
        tell(service, "blog", table="metric", grain="day", periods=[])
        assert heard(connection)["payload"]["data"] == {"livePageMetrics": {"pageUrl": "/news", "viewCount": 4}}


def test_updates_are_those_of_the_keys_apps(service: Service) -> None:
    with connected(service, "both") as connection:
        subscribe(connection, "subscription {aggregateUpdated {appId table grain periods}}")
        # A connection says that it listens by answering the next thing.
        subscribe(connection, "{apps {appId}}", "b")
        assert [heard(connection)["type"] for _ in range(2)] == ["next", "complete"]
        tell(service, "rival", table="metric", grain="day", periods=[])
        tell(service, "blog", table="metric", grain="hour", periods=["2026-11-01T12:00:00+00:00"])
        assert heard(connection)["payload"]["data"]["aggregateUpdated"] == {
            "appId": "blog",
            "table": "metric",
            "grain": "hour",
            "periods": ["2026-11-01T12:00:00+00:00"],
        }


def test_a_subscription_ends_when_it_is_completed(service: Service) -> None:
    with connected(service) as connection:
        subscribe(connection, "subscription {liveMetrics {timestamp}}")
        assert heard(connection)["type"] == "next"
        connection.send(json.dumps({"type": "complete", "id": "a"}))
        subscribe(connection, "{apps {appId}}", "a")
        assert heard(connection)["payload"]["data"] == {"apps": [{"appId": "shop"}]}


@pytest.mark.parametrize(
    ("field", "code", "named"),
    [
        ('liveMetrics(appId: "rival") {timestamp}', "NOT_FOUND", "appId"),
        ('liveMetrics(appId: "nobody") {timestamp}', "NOT_FOUND", "appId"),
        ('livePageMetrics(pageUrl: "/", appId: "rival") {pageUrl}', "NOT_FOUND", "appId"),
        ('aggregateUpdated(appId: "rival") {table}', "NOT_FOUND", "appId"),
        ("liveMetrics(interval: 0.01) {timestamp}", "BAD_USER_INPUT", "interval"),
    ],
)
def test_a_subscription_that_is_refused_says_why(service: Service, field: str, code: str, named: str) -> None:
    with connected(service) as connection:
        subscribe(connection, f"subscription {{{field}}}")
        message = heard(connection)
        payload = message["payload"]
        [error] = payload if message["type"] == "error" else payload["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, named)


@pytest.mark.parametrize(
    ("key", "code"), [(None, 4401), ("em_r_nonsense", 4401), (f"em_r_abcdefgh_{'x' * 43}", 4401), ("write", 4403)]
)
def test_whoever_may_not_read_is_not_let_in(service: Service, key: str | None, code: int) -> None:
    with pytest.raises(ConnectionClosed) as closed, connected(service, key):
        pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"subprotocols": [Subprotocol("graphql-ws")]}, 4406),
        ({}, 4406),
        ({"subprotocols": [PROTOCOL], "origin": Origin("https://elsewhere.example")}, 4403),
    ],
)
def test_other_protocols_and_pages_of_other_origins_are_turned_away(
    service: Service, options: dict[str, Any], code: int
) -> None:
    address = service.url.replace("http", "ws", 1) + "/graphql"
    with connect(address, **options) as connection, pytest.raises(ConnectionClosed) as closed:
        connection.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
