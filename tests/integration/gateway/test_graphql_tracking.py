"""`trackEvents` through the query service and a real gateway onto a real broker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from nats.js import JetStreamContext

from eventmill.control.apps import IssuedKeys
from eventmill.http.serving import build_server
from eventmill.settings import Settings
from query_service.app import create_app
from tests.gateway_calls import last_seq, stored, until_answers
from tests.workers import free_ports

pytestmark = pytest.mark.integration

MUTATION = """
mutation Track($app: String, $events: [EventInput!]!) {
    trackEvents(appId: $app, userId: "u1", device: "mobile", events: $events) {success eventCount errors}
}
"""


@pytest.fixture
async def queries(gateway: httpx.AsyncClient, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a query service whose gateway is the one that runs."""
    del gateway  # it is reached by its port
    (port,) = free_ports(1)
    server = build_server(create_app(settings), settings.bind, port)
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        await until_answers(client, "/health/live")
        yield client
    server.stop()
    await serving


async def track(queries: httpx.AsyncClient, key: str, events: Any, **more: Any) -> dict[str, Any]:
    body = {"query": MUTATION, "variables": {"events": events, **more}}
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "curl/8", "X-Session-Id": "s1"}
    found: dict[str, Any] = (await queries.post("/graphql", json=body, headers=headers)).json()
    return found


async def ready(queries: httpx.AsyncClient, key: str) -> None:
    """Once an event was taken in: the first one waits for connections on a busy machine."""
    async with asyncio.timeout(60):
        while True:
            if (await track(queries, key, [{"type": "warm"}]))["data"]["trackEvents"] is not None:
                return
            await asyncio.sleep(0.1)


async def test_events_go_the_gateways_way_and_a_bad_one_harms_no_other(
    queries: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    await ready(queries, keys.write_key)
    before = await last_seq(jetstream)
    good = [{"id": f"e{n}", "type": "click", "label": "buy", "path": "/cart", "metadata": {"n": n}} for n in range(300)]
    found = await track(queries, keys.write_key, [*good, {"id": "bad", "type": "click", "timestamp": "never"}])
    [error] = found["data"]["trackEvents"].pop("errors")
    assert error.startswith("events[300]: ")
    assert found["data"]["trackEvents"] == {"success": False, "eventCount": 300}
    subject, events = await stored(jetstream, before + 1)
    assert (subject.split(".")[-1], len(events)) == ("shop", 301)
    first = events[0]
    assert (first.event_id, first.event_name, first.page_url) == ("e0", "buy", "/cart")
    assert (first.user_id, first.session_id, first.device_type) == ("u1", "s1", "mobile")


async def test_only_a_write_key_of_the_app_sends_events(queries: httpx.AsyncClient, keys: IssuedKeys) -> None:
    await ready(queries, keys.write_key)
    event = [{"type": "click"}]
    elsewhere = await track(queries, keys.write_key, event, app="rival")
    assert elsewhere["data"]["trackEvents"]["success"] is False
    reading = await track(queries, keys.read_key, event)
    assert reading["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await track(queries, keys.write_key[:-1] + "!", event))["status"] == 401
