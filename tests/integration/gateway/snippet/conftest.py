"""A site with the snippet, of another host than the gateway's, and a browser that visits it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from nats.js import JetStreamContext
from playwright.async_api import Browser, BrowserContext, Page

from eventmill.control.apps import IssuedKeys
from tests.snippet_site import Arrived, Site, chromium, serving


@pytest.fixture
async def site(gateway: httpx.AsyncClient, keys: IssuedKeys) -> AsyncIterator[Site]:
    async with serving(Site(str(gateway.base_url).rstrip("/"), keys.write_key)) as site:
        yield site


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context()
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page of a fresh profile; an error of a script, or a violated policy, fails the test."""
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: "Content Security" in message.text and troubles.append(message.text))
    yield page
    assert troubles == []


@pytest.fixture
def arrived(jetstream: JetStreamContext) -> Arrived:
    return Arrived(jetstream)
