"""The gateway while the broker or PostgreSQL is away: refused in time, and back without a restart."""

import asyncio
import time

import httpx
import psutil
import psycopg
import pytest

from eventmill import stream
from eventmill.contracts.subjects import STREAM
from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from eventmill.control.migrate import migrate
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings
from tests.gateway_calls import GOOD, StartGateway, post, until_answers

pytestmark = pytest.mark.integration


@pytest.fixture
def shaky_settings(own_nats: tuple[NatsServer, Server], settings: Settings) -> Settings:
    """Settings whose broker this test may stop."""
    nats_server, _ = own_nats
    changes = {
        "nats_url": f"nats://127.0.0.1:{nats_server.port}",
        "nats_monitor_url": f"http://127.0.0.1:{nats_server.monitor_port}",
        "stream_max_bytes": 1024**2,
    }
    return settings.model_copy(update=changes)


async def refused_in_time(gateway: httpx.AsyncClient, key: str) -> None:
    started = time.monotonic()
    answer = await post(gateway, key, GOOD)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    # The contract says 2 s; the rest is this machine's.
    assert time.monotonic() - started < 4


async def test_a_stopped_broker_means_503_until_it_is_back(
    start_gateway: StartGateway, shaky_settings: Settings, own_nats: tuple[NatsServer, Server], keys: IssuedKeys
) -> None:
    gateway = await start_gateway(shaky_settings)
    await until_answers(gateway, "/health/ready")
    assert (await post(gateway, keys.write_key, GOOD)).status_code == 200
    own_nats[1].kill()
    await refused_in_time(gateway, keys.write_key)
    assert (await gateway.get("/health/ready")).status_code == 503
    await asyncio.to_thread(own_nats[1].start)
    await until_answers(gateway, "/health/ready")
    again = await post(gateway, keys.write_key, GOOD | {"event_id": "e2"})
    assert again.json()["events"][0]["status"] == "accepted"


async def test_a_broker_that_hangs_fails_concurrent_requests_in_time_and_is_used_again_afterwards(
    start_gateway: StartGateway, shaky_settings: Settings, own_nats: tuple[NatsServer, Server], keys: IssuedKeys
) -> None:
    gateway = await start_gateway(shaky_settings)
    await until_answers(gateway, "/health/ready")
    assert (await post(gateway, keys.write_key, GOOD)).status_code == 200
    assert own_nats[1].process is not None
    broker = psutil.Process(own_nats[1].process.pid)
    broker.suspend()
    try:
        await asyncio.gather(*(refused_in_time(gateway, keys.write_key) for _ in range(20)))
    finally:
        broker.resume()
    await until_answers(gateway, "/health/ready")
    again = await post(gateway, keys.write_key, GOOD | {"event_id": "e2"})
    assert again.json()["events"][0]["status"] == "accepted"


async def test_a_full_stream_means_503(start_gateway: StartGateway, shaky_settings: Settings, keys: IssuedKeys) -> None:
    gateway = await start_gateway(shaky_settings)
    await until_answers(gateway, "/health/ready")
    big = [GOOD | {"event_id": str(n), "properties": {"text": "x" * 30_000}} for n in range(15)]
    statuses = [(await post(gateway, keys.write_key, big)).status_code for _ in range(3)]
    assert statuses == [200, 200, 503]
    # A refused event is no duplicate when it is sent again.
    client = await stream.connect(shaky_settings, "test")
    await client.jetstream().purge_stream(STREAM)
    await client.close()
    after = await post(gateway, keys.write_key, GOOD | {"event_id": "new"})
    assert after.json()["events"][0]["status"] == "accepted"


async def test_known_keys_work_while_postgres_is_down_and_unknown_ones_are_not_called_wrong(
    start_gateway: StartGateway, settings: Settings, own_postgres: tuple[PostgresServer, Server]
) -> None:
    address = own_postgres[0].address()
    with psycopg.connect(address) as connection:
        migrate(connection)
        _, keys = apps.create_app(connection, "shop")
    gateway = await start_gateway(settings.model_copy(update={"database_url": address}))
    await until_answers(gateway, "/health/ready")
    assert (await post(gateway, keys.write_key, GOOD)).status_code == 200
    own_postgres[1].kill()
    assert (await post(gateway, keys.write_key, GOOD)).status_code == 200
    assert (await post(gateway, keys.admin_key, GOOD)).status_code == 503
    assert (await gateway.get("/health/ready")).status_code == 503
