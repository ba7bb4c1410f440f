"""A web site with the browser snippet on its pages, a Chromium that visits it, and what then lies on the broker."""

import asyncio
import contextlib
import html
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from nats.js import JetStreamContext
from playwright.async_api import Browser, Page, async_playwright

from tests.browser import find
from tests.gateway_calls import last_seq, stored_sections

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

# Lets a page remember what it sends, beacons of its last moment too: Playwright does not see those.
RECORD = """for (const [holder, name, bodyOf] of [
  [navigator, 'sendBeacon', given => given[1]], [window, 'fetch', given => given[1].body]]) {
  const original = holder[name].bind(holder);
  holder[name] = (...given) => {
    sessionStorage.sent = (sessionStorage.sent || '') + name + ' ' + bodyOf(given) + '\\n';
    return original(...given);
  };
}"""

# What a change of tabs does to a page, which a headless browser has no way to do.
HIDE = """hidden => {
  Object.defineProperty(document, 'visibilityState', {value: hidden ? 'hidden' : 'visible', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


class Site:
    """Serves every path as an HTML page with the snippet; `attributes` and `body` are those of the pages to come."""

    def __init__(self, gateway_url: str, key: str) -> None:
        self._gateway_url, self._key = gateway_url, key
        self.attributes: dict[str, str] = {}
        self.body = ""
        self.policy = ""
        self.url = ""

    def page(self) -> str:
        """The page's HTML."""
        options = {"data-key": self._key, **self.attributes}
        attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in options.items())
        script = f'<script defer src="{self._gateway_url}/em.js"{attributes}></script>'
        return f"<!doctype html><title>A page</title>{script}<body>{self.body}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        head = await reader.readline()
        if not head:  # a connection that the browser opened in advance
            writer.close()
            return
        while (await reader.readline()).strip():
            pass
        is_file = head.split(b" ")[1].endswith((b".pdf", b".ico"))
        content = b"a file" if is_file else self.page().encode()
        kind = "text/plain" if is_file else "text/html; charset=utf-8"
        policy = f"Content-Security-Policy: {self.policy}\r\n" if self.policy else ""
        length = f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
        writer.write(f"HTTP/1.1 200 OK\r\n{length}{policy}\r\n".encode() + content)
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    """Serve the site on a port of its own; its host `localhost` is another one than the gateway's 127.0.0.1."""
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield site


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium that `make test` found or installed; it may keep pages for the back button."""
    path = find()
    assert path is not None, "no Chromium here: run `make test`, or python tests/browser.py"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield browser
        await browser.close()


class Arrived:
    """What the gateway put on the broker."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def events(self, is_enough: Callable[[list[Any]], bool]) -> list[Any]:
        """The decoded events in the order of the stream, once there are enough."""
        async with asyncio.timeout(60):
            while True:
                events = (await self._read())[0]
                if is_enough(events):
                    return events
                await asyncio.sleep(0.05)

    async def count(self, number: int) -> list[Any]:
        """The events, once there are `number` of them."""
        return await self.events(lambda events: len(events) >= number)

    async def filtered(self, number: int) -> tuple[list[Any], Counter[str]]:
        """The events, and how many were left out by kind, once those are `number`."""
        async with asyncio.timeout(60):
            while True:
                events, filtered = await self._read()
                if filtered.total() >= number:
                    return events, filtered
                await asyncio.sleep(0.05)

    async def _read(self) -> tuple[list[Any], Counter[str]]:
        events: list[Any] = []
        filtered: Counter[str] = Counter()
        for seq in range(1, await last_seq(self._jetstream) + 1):
            for section, decoded in (await stored_sections(self._jetstream, seq))[1]:
                events += decoded
                filtered.update(section.filtered)
        return events, filtered


async def sent(page: Page, site: Site) -> list[tuple[str, str]]:
    """Function and body of everything that pages of the site sent since `RECORD`."""
    await page.goto(f"{site.url}/nothing.ico")
    lines = (await page.evaluate("sessionStorage.sent || ''")).splitlines()
    return [(name, body) for name, _, body in (line.partition(" ") for line in lines)]


async def leave(page: Page) -> None:
    """Go away, as a visitor does who closes the page."""
    await page.goto("about:blank")


def views(events: list[Any]) -> list[str]:
    """The pages that were viewed, in order."""
    return [event.page_url for event in events if event.event_type == "page_view"]


def of_type(events: list[Any], event_type: str) -> list[Any]:
    """The events of one type, in order."""
    return [event for event in events if event.event_type == event_type]
