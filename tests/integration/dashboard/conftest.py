"""One seeded installation and one browser for all tests of the dashboard."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
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
MakeShop = Callable[[Settings, datetime], Shop]
PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def make(
    postgres: PostgresServer,
    _marts_template: str,
    marts_home: Path,
    start_nats: Callable[[], NatsServer],
    new_directory: Callable[[], Path],
) -> Iterator[Callable[[MakeShop], Shop]]:
    """Starts a service over what a function makes of an empty installation, each in a database of its own."""
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(postgres.address(), autocommit=True))

        def start(fill: MakeShop) -> Shop:
            name = f"dashboard_{next(NUMBERS)}"
            (port,) = free_ports(1)
            connection.execute(f"create database {name} template {_marts_template}")
            stack.callback(drop_database, connection, name)
            settings = Settings(
                home=new_directory(),
                database_url=postgres.address(name),
                nats_url=f"nats://127.0.0.1:{start_nats().port}",
                http_port=port,
            )
            # What the numbers mean: it is known once the marts are, and takes dbt many seconds to write again.
            shutil.copytree(marts_home / "dbt" / "manifest", settings.home / "dbt" / "manifest")
            made = fill(settings, present())
            made.start()
            stack.callback(made.stop)
            return made

        yield start


@pytest.fixture(scope="session")
def shop(make: Callable[[MakeShop], Shop]) -> Shop:
    """Three days of a shop."""
    return make(make_shop)


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
    """Opens an address of the shop's dashboard; see `opening`."""
    with opening(browser, shop) as open_:
        yield open_


@contextmanager
def opening(browser: Browser, shop: Shop) -> Iterator[OpenPage]:
    """Opens addresses of a dashboard, signed in with a key, each in a fresh profile.

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


def settled(page: Page) -> None:
    """Wait until nothing of the page is loading."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".bone, [aria-busy=true]")).to_have_count(0)


def _note(troubles: list[str], message: Any, *, may_lose: bool) -> None:
    is_lost = any(words in message.text for words in ("Failed to load resource", "WebSocket connection to"))
    if message.type in {"error", "warning"} and not (may_lose and is_lost):
        troubles.append(message.text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures`, where this folder or a file of it is named."""
    parser.addoption("--pictures", action="store_true", help="write the dashboard's pictures to docs/images")
