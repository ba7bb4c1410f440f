"""Segment's own Python SDK against the running gateway."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import nats
import pytest
from nats.js import JetStreamContext
from segment.analytics import request as segment_request
from segment.analytics.client import Client

from eventmill.contracts.decode import Rejected
from eventmill.control.apps import IssuedKeys
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from tests.gateway_calls import StartGateway, until_answers
from tests.sdk.arrived import events, until_arrived

pytestmark = pytest.mark.integration

ALL = ("identify", "track", "page", "screen", "group", "alias")
HAPPENED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _close_connections() -> Iterator[None]:
    yield
    segment_request._session.close()


def client_of(gateway: httpx.AsyncClient, key: str, **options: object) -> Client:
    return Client(key, host=str(gateway.base_url), upload_interval=0.1, **options)


def send_every_call(client: Client) -> None:
    client.identify("u1", {"plan": "pro"}, anonymous_id="a1", message_id="identify")
    context = {"ip": "192.0.2.7", "os": {"name": "Plan 9"}, "timezone": "Europe/Berlin"}
    properties = {"revenue": 19.9, "currency": "EUR"}
    client.track("u1", "Order Completed", properties, context=context, timestamp=HAPPENED_AT, message_id="track")
    client.page("u1", "Shop", "Cart", {"url": "https://shop.example/cart?utm_source=mail"}, message_id="page")
    client.screen("u1", "Shop", "Basket", {"items": 2}, message_id="screen")
    client.group("u1", "g1", {"name": "Acme"}, message_id="group")
    client.alias("a0", "u1", message_id="alias")
    if not client.sync_mode:
        client.shutdown()


async def until_refused(gateway: httpx.AsyncClient) -> None:
    """Wait for the gateway's first 503."""
    for _ in range(200):
        if 'eventmill_gateway_requests_total{status="503"}' in (await gateway.get("/metrics")).text:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no request was refused within 20 s")


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("is_sync", [False, True])
async def test_every_call_arrives_with_its_fields(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, *, is_compressed: bool, is_sync: bool
) -> None:
    client = client_of(gateway, keys.write_key, gzip=is_compressed, sync_mode=is_sync)
    await asyncio.to_thread(send_every_call, client)
    found = await until_arrived(jetstream, *ALL)
    assert [found[name].event_type for name in ALL] == [
        "identify",
        "Order Completed",
        "page_view",
        "screen_view",
        "group",
        "alias",
    ]
    assert {event.source for event in found.values()} == {"server"}
    assert {event.sdk_version for event in found.values()} == {"analytics-python/2.4.0"}
    assert (found["identify"].user_id, found["identify"].anonymous_id) == ("u1", "a1")
    assert (found["track"].timestamp, found["track"].os) == (HAPPENED_AT, "Plan 9")
    assert found["track"].time_zone == "Europe/Berlin"
    assert json.loads(found["track"].properties) == {"revenue": 19.9, "currency": "EUR"}
    assert (found["page"].page_url, found["page"].utm_source) == ("https://shop.example/cart", "mail")
    assert (found["page"].event_name, found["screen"].event_name) == ("Cart", "Basket")
    assert (found["alias"].user_id, found["alias"].anonymous_id) == ("u1", "a0")
    assert all(event.sent_at >= event.timestamp for event in found.values())


async def test_a_number_that_is_none_costs_only_its_own_event(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    def send() -> None:
        client = client_of(gateway, keys.write_key)
        client.track("u1", "Good", message_id="before")
        client.track("u1", "Bad", {"price": float("nan")}, message_id="nan")
        client.track("u1", "Good", message_id="after")
        client.shutdown()

    await asyncio.to_thread(send)
    await until_arrived(jetstream, "before", "after")
    (bad,) = [event for event in await events(jetstream) if isinstance(event, Rejected)]
    assert bad.reason == "malformed_json"
    assert b'"price": NaN' in bad.raw


async def test_a_refused_key_reaches_the_callers_error_handler(gateway: httpx.AsyncClient) -> None:
    errors: list[tuple[int, int]] = []

    def send() -> None:
        client = client_of(gateway, "nonsense", on_error=lambda error, batch: errors.append((error.status, len(batch))))
        client.track("u1", "Lost")
        client.shutdown()

    await asyncio.to_thread(send)
    assert errors == [(401, 1)]


async def test_what_was_answered_503_is_sent_again_until_the_broker_is_back(
    start_gateway: StartGateway, settings: Settings, own_nats: tuple[NatsServer, Server], keys: IssuedKeys
) -> None:
    nats_server, server = own_nats
    address = f"nats://127.0.0.1:{nats_server.port}"
    monitor = f"http://127.0.0.1:{nats_server.monitor_port}"
    gateway = await start_gateway(settings.model_copy(update={"nats_url": address, "nats_monitor_url": monitor}))
    await until_answers(gateway, "/health/ready")
    server.kill()
    client = client_of(gateway, keys.write_key)
    client.track("u1", "Kept", message_id="kept")
    await until_refused(gateway)
    await asyncio.to_thread(server.start)
    connection = await nats.connect(address)
    try:
        await until_answers(gateway, "/health/ready")
        found = await until_arrived(connection.jetstream(), "kept")
        assert found["kept"].event_type == "Kept"
    finally:
        await connection.close()
        await asyncio.to_thread(client.shutdown)
