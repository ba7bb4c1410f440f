"""Segment's own SDKs for Node and the browser, the latter in a real Chromium on a page of another origin."""

import asyncio
import functools
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from nats.js import JetStreamContext
from playwright.async_api import Page, async_playwright

from eventmill.control.apps import IssuedKeys
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from tests.browser import find
from tests.gateway_calls import StartGateway, until_answers
from tests.sdk.arrived import events, until_arrived
from tests.sdk.install import HERE, MODULES, why_missing

pytestmark = [pytest.mark.integration, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
UMD = MODULES / "@segment" / "analytics-next" / "dist" / "umd"


async def test_every_call_of_the_node_sdk_arrives_with_its_fields(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    command = ["node", str(HERE / "send.js"), str(gateway.base_url), keys.write_key]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, trouble = await process.communicate()
    assert process.returncode == 0, trouble.decode()
    found = {event.event_id: event for event in await events(jetstream)}
    assert {name: event.event_type for name, event in found.items()} == {
        "identify": "identify",
        "track": "Order Completed",
        "page": "page_view",
        "screen": "screen_view",
        "group": "group",
        "alias": "alias",
    }
    assert {event.sdk_version for event in found.values()} == {"@segment/analytics-node/3.1.0"}
    assert {event.source for event in found.values()} == {"server"}
    assert (found["identify"].user_id, found["identify"].anonymous_id) == ("u1", "a1")
    assert (found["track"].browser, found["track"].os, found["track"].device_type) == ("Firefox", "Linux", "desktop")
    assert json.loads(found["track"].properties) == {"revenue": 19.9}
    assert (found["page"].page_url, found["page"].utm_source) == ("https://shop.example/cart", "mail")
    assert (found["page"].event_name, found["alias"].anonymous_id) == ("Cart", "a0")
    assert all(event.sent_at >= event.timestamp for event in found.values())


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[str]:
    """Address of a web site whose page has Segment's SDK on it, on an origin other than the gateway's."""
    (tmp_path / "cart.html").write_bytes((HERE / "page.html").read_bytes())
    (tmp_path / "umd").symlink_to(UMD)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def page(shop: str) -> AsyncIterator[Page]:
    """The shop's page in a fresh profile; errors in it, requests to others, and forbidden ones fail the test."""
    path = find()
    assert path is not None, "no Chromium here: run `make test`, or python tests/browser.py"
    troubles: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        # A browser without a screen says so in its own agent, and would be taken for a bot.
        profile = {"locale": "de-DE", "timezone_id": "Europe/Berlin", "user_agent": FIREFOX}
        page = await (await browser.new_context(**profile)).new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: "CORS" in message.text and troubles.append(message.text))
        page.on("request", lambda request: "//127.0.0.1:" in request.url or troubles.append(request.url))
        await page.goto(f"{shop}/cart.html?utm_source=mail&utm_campaign=spring")
        yield page
        await browser.close()
    assert troubles == []


LOAD = """async ([cdnURL, writeKey, delivery]) => {
  const integrations = delivery ? { 'Segment.io': { deliveryStrategy: delivery } } : {}
  const [analytics] = await AnalyticsNext.AnalyticsBrowser.load({ cdnURL, writeKey }, { integrations })
  window.analytics = analytics
}"""
SEND = """async () => {
  await analytics.page('Shop', 'Cart', {}, { messageId: 'page' })
  await analytics.track('Product Added', { price: 9.5 }, { messageId: 'track' })
  await analytics.alias('u1', { messageId: 'alias' })
  await analytics.identify('u1', { plan: 'pro' }, { messageId: 'identify' })
  await analytics.group('g1', { name: 'Acme' }, { messageId: 'group' })
  await analytics.screen('Shop', 'Basket', {}, { messageId: 'screen' })
  return analytics.user().anonymousId()
}"""
BATCHING = {"strategy": "batching", "config": {"size": 3, "timeout": 200}}


@pytest.mark.parametrize("delivery", [None, BATCHING], ids=["one by one", "in batches"])
async def test_every_call_of_the_browser_sdk_arrives_with_its_fields(
    page: Page,
    shop: str,
    gateway: httpx.AsyncClient,
    keys: IssuedKeys,
    jetstream: JetStreamContext,
    delivery: dict[str, Any] | None,
) -> None:
    await page.evaluate(LOAD, [str(gateway.base_url).rstrip("/"), keys.write_key, delivery])
    anonymous_id = await page.evaluate(SEND)
    found = await until_arrived(jetstream, "page", "track", "identify", "group", "screen", "alias")
    view = found["page"]
    assert (view.event_type, view.event_name, view.page_title) == ("page_view", "Cart", "Cart")
    assert (view.page_url, view.page_path) == (f"{shop}/cart.html", "/cart.html")
    assert (view.utm_source, view.utm_campaign) == ("mail", "spring")
    assert (view.anonymous_id, view.user_id, view.source) == (anonymous_id, None, "web")
    assert (view.device_type, view.browser, view.os, view.is_bot) == ("desktop", "Firefox", "Linux", False)
    assert (view.locale, view.time_zone) == ("de-DE", "Europe/Berlin")
    assert view.sdk_version.startswith("analytics.js/")
    assert (found["track"].event_type, found["track"].page_url) == ("Product Added", f"{shop}/cart.html")
    assert json.loads(found["track"].properties)["price"] == 9.5
    assert (found["identify"].user_id, found["identify"].anonymous_id) == ("u1", anonymous_id)
    assert json.loads(found["group"].properties)["group_id"] == "g1"
    assert found["screen"].event_type == "screen_view"
    assert (found["alias"].user_id, found["alias"].anonymous_id) == ("u1", anonymous_id)
    assert {event.sent_at >= event.timestamp for event in found.values()} == {True}


async def test_what_waits_in_a_batch_is_sent_when_the_visitor_leaves(
    page: Page, shop: str, gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    slow = {"strategy": "batching", "config": {"size": 100, "timeout": 600_000}}
    await page.evaluate(LOAD, [str(gateway.base_url).rstrip("/"), keys.write_key, slow])
    await page.evaluate("() => { analytics.track('Left', {}, { messageId: 'left' }) }")
    await page.wait_for_timeout(300)
    await page.goto(f"{shop}/umd/")
    assert (await until_arrived(jetstream, "left"))["left"].event_type == "Left"


async def test_the_browser_sdk_tries_again_after_503(
    page: Page,
    start_gateway: StartGateway,
    settings: Settings,
    own_nats: tuple[NatsServer, Server],
    keys: IssuedKeys,
) -> None:
    nats_server, server = own_nats
    address = f"nats://127.0.0.1:{nats_server.port}"
    monitor = f"http://127.0.0.1:{nats_server.monitor_port}"
    gateway = await start_gateway(settings.model_copy(update={"nats_url": address, "nats_monitor_url": monitor}))
    await until_answers(gateway, "/health/ready")
    await page.evaluate(LOAD, [str(gateway.base_url).rstrip("/"), keys.write_key, None])
    tries: list[str | None] = []
    page.on(
        "request", lambda request: request.url.endswith("/t") and tries.append(request.headers.get("x-retry-count"))
    )
    server.kill()
    async with page.expect_response(lambda response: response.status == 503):
        await page.evaluate("() => { analytics.track('Kept', {}, { messageId: 'kept' }) }")
    await asyncio.to_thread(server.start)
    connection = await nats.connect(address)
    found = await until_arrived(connection.jetstream(), "kept")
    await connection.close()
    assert found["kept"].event_type == "Kept"
    # A header that a browser asks about first: without a yes, no try would ever arrive.
    assert tries[:2] == [None, "1"]
