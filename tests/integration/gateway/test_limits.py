"""What the gateway refuses before it holds too much, and what it says then."""

import asyncio
import socket

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from eventmill.settings import Settings
from tests.gateway_calls import GOOD, StartGateway, last_seq, post, until_answers

pytestmark = pytest.mark.integration


async def started(start_gateway: StartGateway, settings: Settings) -> httpx.AsyncClient:
    gateway = await start_gateway(settings)
    await until_answers(gateway, "/health/ready")
    return gateway


async def half_a_request(settings: Settings, key: str, body: bytes) -> asyncio.StreamWriter:
    """A client that has sent the head and a part of its body."""
    _, writer = await asyncio.open_connection("127.0.0.1", settings.ingest_port)
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
    await writer.drain()
    return writer


async def until_metric(gateway: httpx.AsyncClient, line: str) -> None:
    async with asyncio.timeout(60):
        while line not in (await gateway.get("/metrics")).text:  # noqa: ASYNC110 - only the gateway knows
            await asyncio.sleep(0.02)


async def test_beyond_the_requests_in_flight_it_says_503_at_once_and_recovers(
    start_gateway: StartGateway, settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    gateway = await started(start_gateway, settings.model_copy(update={"gateway_max_requests": 1}))
    slow = await half_a_request(settings, keys.write_key, b"{")
    await until_metric(gateway, "eventmill_gateway_in_flight_requests 1.0")
    refused = await post(gateway, keys.write_key, GOOD)
    assert (refused.status_code, "in flight" in refused.json()["detail"]) == (503, True)
    assert int(refused.headers["retry-after"]) >= 1
    slow.close()
    await until_metric(gateway, "eventmill_gateway_in_flight_requests 0.0")
    assert (await post(gateway, keys.write_key, GOOD)).status_code == 200
    assert await last_seq(jetstream) == 1
    assert 'refused_requests_total{cause="overloaded"} 1.0' in (await gateway.get("/metrics")).text


async def test_bytes_of_slow_clients_count_and_are_given_back(
    start_gateway: StartGateway, settings: Settings, keys: IssuedKeys
) -> None:
    gateway = await started(start_gateway, settings.model_copy(update={"gateway_max_bytes": 1_000_000}))
    slow = [await half_a_request(settings, keys.write_key, b" " * 400_000) for _ in range(2)]
    await until_metric(gateway, "eventmill_gateway_in_flight_bytes 800000.0")
    body = b"[" + b" " * 300_000 + b"]"
    assert (await post(gateway, keys.write_key, body)).status_code == 503
    for writer in slow:
        writer.close()
    await until_metric(gateway, "eventmill_gateway_in_flight_bytes 0.0")
    assert (await post(gateway, keys.write_key, body)).status_code == 400


async def test_an_app_over_its_rate_is_told_when_to_come_again(
    gateway: httpx.AsyncClient, database: str, jetstream: JetStreamContext
) -> None:
    with psycopg.connect(database) as connection:
        keys = apps.create_app(connection, "busy", events_per_second=5)[1]
    taken = await post(gateway, keys.write_key, [GOOD] * 10)
    names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
    assert (taken.status_code, [taken.headers[name] for name in names]) == (200, ["10", "0", "2"])
    refused = await post(gateway, keys.write_key, [GOOD] * 10)
    assert (refused.status_code, refused.json()["field"]) == (429, "app_id")
    assert refused.headers["ratelimit-limit"] == "10"
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert await last_seq(jetstream) == 1
    text = (await gateway.get("/metrics")).text
    assert 'eventmill_gateway_rate_limited_events_total{app_id="busy"} 10.0' in text
    assert 'refused_requests_total{cause="rate_limited"} 1.0' in text


async def test_an_app_without_a_limit_hears_of_none(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    taken = await post(gateway, keys.write_key, GOOD)
    assert not [name for name in taken.headers if name.startswith("ratelimit")]


async def test_a_client_that_stops_in_the_middle_stores_nothing(
    gateway: httpx.AsyncClient, settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    writer = await half_a_request(settings, keys.write_key, b'{"event_type":"click","user_id":"u"}\n')
    await until_metric(gateway, "eventmill_gateway_in_flight_requests 1.0")
    writer.close()
    await until_metric(gateway, "eventmill_gateway_in_flight_requests 0.0")
    assert await last_seq(jetstream) == 0


async def test_a_client_that_goes_before_its_answer_leaves_its_neighbours_alone(
    gateway: httpx.AsyncClient, settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    body = b'{"event_type":"click","user_id":"u"}'
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {keys.write_key}\r\n"
    await post(gateway, keys.write_key, GOOD)
    neighbours = [asyncio.create_task(post(gateway, keys.write_key, GOOD)) for _ in range(10)]
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", settings.ingest_port)) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert {answer.status_code for answer in await asyncio.gather(*neighbours)} == {200}
