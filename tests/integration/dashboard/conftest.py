"""One seeded installation and one browser for all tests of the dashboard."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings
from tests.browser import find
from tests.conftest import NUMBERS
from tests.dashboard_shop import Shop, make_shop, present
from tests.databases import drop_database
from tests.workers import free_ports

OpenPage = Callable[..., Page]
PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def shop(
    postgres: PostgresServer,
    _marts_template: str,
    start_nats: Callable[[], NatsServer],
    new_directory: Callable[[], Path],
) -> Iterator[Shop]:
    """A service over three days of a shop, in a database of its own."""
    name = f"dashboard_{next(NUMBERS)}"
    (port,) = free_ports(1)
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {_marts_template}")
        settings = Settings(
            home=new_directory(),
            database_url=postgres.address(name),
            nats_url=f"nats://127.0.0.1:{start_nats().port}",
            http_port=port,
        )
        made = make_shop(settings, present())
        made.start()
        yield made
        made.stop()
        drop_database(connection, name)


# Not for the whole session: playwright keeps an event loop running, and asynchronous tests that follow have none then.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium that `make test` found or installed."""
    path = find()
    assert path is not None, "no Chromium here: run `make test`, or python tests/browser.py"
    # Five seconds, the default, are too few for an answer from the lake where other tests run beside these.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, shop: Shop) -> Iterator[OpenPage]:
    """Opens an address of the dashboard, signed in with a key, in a fresh profile.

    Errors on the console, of scripts and of the policy, and requests to other hosts, fail the test; `may_lose` forgives
    requests that failed.
    """
    troubles: list[str] = []
    contexts = []

    def open_(where: str = "", *, key: str | None = "shop", may_lose: bool = False, **options: Any) -> Page:
        given: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options}
        context = browser.new_context(**given)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: "127.0.0.1" in request.url or troubles.append(request.url))
        page.on("console", lambda message: _note(troubles, message, may_lose=may_lose))
        if key is not None:
            stored = f"sessionStorage.setItem('eventmill-key', '{shop.keys[key]}')"
            page.add_init_script(
                f"if (!sessionStorage.getItem('seen')) {{ {stored}; sessionStorage.setItem('seen', 1) }}"
            )
        page.goto(f"{shop.url}/{where}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


def _note(troubles: list[str], message: Any, *, may_lose: bool) -> None:
    is_lost = any(words in message.text for words in ("Failed to load resource", "WebSocket connection to"))
    if message.type in {"error", "warning"} and not (may_lose and is_lost):
        troubles.append(message.text)
