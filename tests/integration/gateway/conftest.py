"""A gateway on a real nats-server and PostgreSQL, with an app `shop`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import nats
import psycopg
import pytest
from nats.js import JetStreamContext

from eventmill import stream
from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from eventmill.http.serving import build_server
from eventmill.lake import create_tables
from eventmill.settings import Settings
from ingest_service.gateway.app import create_app
from tests.gateway_calls import StartGateway, until_answers
from tests.writer_bench import Bench


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    """Starts gateways in this event loop and hands out a client for each, ready or not."""
    running: list[tuple[Any, asyncio.Task[None], httpx.AsyncClient]] = []

    async def start(settings: Settings) -> httpx.AsyncClient:
        server = build_server(create_app(settings), settings.bind, settings.ingest_port)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.ingest_port}", timeout=30)
        running.append((server, asyncio.create_task(server.serve()), client))
        await until_answers(client, "/health/live")
        return client

    yield start
    for server, task, client in running:
        await client.aclose()
        server.stop()
        await task


@pytest.fixture
async def gateway(start_gateway: StartGateway, settings: Settings) -> httpx.AsyncClient:
    client = await start_gateway(settings)
    await until_answers(client, "/health/ready")
    return client


@pytest.fixture
def keys(database: str) -> IssuedKeys:
    with psycopg.connect(database) as connection:
        return apps.create_app(connection, "shop")[1]


@pytest.fixture
async def bench_with_shop(settings: Settings, keys: IssuedKeys) -> AsyncIterator[Bench]:
    """Broker and lake behind the gateway, for a writer that reads what it published to the app of `keys`."""
    create_tables(settings)
    client = await stream.connect(settings, "test")
    await stream.ensure_stream(client.jetstream(), settings)
    yield Bench(settings, client)
    await client.close()


@pytest.fixture
async def jetstream(settings: Settings) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(settings.nats_address)
    yield client.jetstream()
    await client.close()
