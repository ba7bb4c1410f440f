"""The page at `/` in a real browser: signing in, today's numbers, and that no other host is asked for anything."""

import importlib.util
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from eventmill.control.apps import create_app
from eventmill.control.credentials import issue_key
from eventmill.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium that `make test` found or installed."""
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).parents[1] / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    finder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(finder)
    path = finder.find()
    assert path is not None, "no Chromium here: run `make test`, or python tests/browser.py"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile; scripts' errors, and requests to other hosts, fail the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: "127.0.0.1" in request.url or troubles.append(request.url))
    page.on("console", lambda message: "Content Security Policy" in message.text and troubles.append(message.text))
    yield page
    context.close()
    assert troubles == []


@pytest.fixture(scope="module")
def keys(module_rollups: Any) -> dict[str, str]:
    """Read keys of the app `shop`, which has events today, of `quiet`, which has none, and of both."""
    with psycopg.connect(module_rollups.address) as connection:
        _, shop = create_app(connection, "Shop", app_id="shop")
        _, quiet = create_app(connection, "Quiet", app_id="quiet")
        both = issue_key(connection, "default", "read", ["shop", "quiet"])
    fill_today(module_rollups)
    return {"shop": shop.read_key, "quiet": quiet.read_key, "both": both}


@pytest.fixture(scope="module")
def url(module_rollups: Any, keys: dict[str, str], start_query_service: Callable[[str], Settings]) -> str:
    """Address of the running query service."""
    return f"http://127.0.0.1:{start_query_service(module_rollups.address).http_port}"


def fill_today(rollups: Any) -> None:
    """A day of a shop, UTC, whatever the day; tomorrow too, for a test that runs over midnight."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for start in (midnight, midnight + timedelta(days=1)):
        place = {"local_date": start.date(), "period_start": start, "utc_offset_minutes": 0}
        people = {"page_views": 8123, "users": 310, "visitors": 1204, "sessions": 1391}
        for traffic in ("all", "human"):
            rollups.metric(traffic, "total", None, events=12345, **people, **place)
        for number, path in enumerate(("/", "/products/espresso-machine", "/cart", "/checkout", "/about")):
            views = {"page_views": 4000 // (number + 1), "visitors": 900 // (number + 1)}
            rollups.metric("human", "page_url", f"https://shop.example{path}", **views, **place)
        for hour in range(24):
            local = {"local_hour": hour, "grain": "hour", "period_start": start + timedelta(hours=hour)}
            count = 100 + 90 * min(hour, 24 - hour)
            rollups.metric("all", "event_type", "page_view", events=count, **(place | local))
    rollups.execute("insert into rollups.lake_progress values (true, 1, now())")


def test_the_sign_in_link_shows_todays_numbers_and_keeps_the_key_out_of_the_address(
    page: Page, url: str, keys: dict[str, str]
) -> None:
    page.goto(f"{url}/#key={keys['shop']}")
    expect(page.get_by_role("heading", name="Shop, today")).to_be_visible()
    expect(page.locator("[data-total=events]")).to_have_text("12,345")
    expect(page.locator("[data-total=visitors]")).to_have_text("1,204")
    expect(page.locator("#freshness")).to_contain_text("complete through")
    expect(page.locator("#hours rect.bar, #hours rect.running")).to_have_count(24)
    expect(page.locator("#hours rect.running")).to_have_count(1)
    expect(page.locator("#pages tbody tr")).to_have_count(5)
    expect(page.locator("#first-event")).to_be_hidden()
    expect(page.locator("#silence")).to_be_hidden()
    assert page.url == f"{url}/"


def test_a_wrong_key_is_refused_and_a_right_one_signs_in(page: Page, url: str, keys: dict[str, str]) -> None:
    page.goto(url)
    page.get_by_label("Read key").fill("em_r_nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The key is unknown, expired or revoked.")
    page.get_by_label("Read key").fill(keys["shop"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Shop, today")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Read key")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Read key")).to_be_visible()


def test_an_app_without_events_is_told_how_to_send_one(page: Page, url: str, keys: dict[str, str]) -> None:
    page.goto(f"{url}/#key={keys['quiet']}")
    expect(page.locator("#curl")).to_contain_text("/v1/events")
    expect(page.locator("[data-total=events]")).to_have_text("0")


def test_a_silent_app_says_since_when(page: Page, url: str, keys: dict[str, str], module_rollups: Any) -> None:
    arrived = {"app_id": "quiet", "hour": datetime(2026, 5, 12, 9, tzinfo=UTC), "received": 1, "stored": 1}
    arrived |= dict.fromkeys(("window_duplicate", "quarantined", "filtered", "flagged", "lake_version"), 0)
    last = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    module_rollups.insert("rollups.ingest_accounting", arrived | {"last_received_at": last, "told_until": last})
    module_rollups.insert("rollups.silence", {"app_id": "quiet", "silent_since": last})
    page.goto(f"{url}/#key={keys['quiet']}")
    expect(page.locator("#silence")).to_have_text(
        "No events since 12/05/2026, 09:30:00 (UTC). This app usually sends more."
    )


def test_a_key_of_several_apps_chooses_among_them(page: Page, url: str, keys: dict[str, str]) -> None:
    page.goto(f"{url}/#key={keys['both']}")
    expect(page.get_by_role("heading", name="Quiet, today")).to_be_visible()
    page.get_by_label("App").select_option("Shop")
    expect(page.locator("[data-total=events]")).to_have_text("12,345")


def test_the_numbers_are_asked_for_again_and_again(page: Page, url: str, keys: dict[str, str]) -> None:
    page.goto(f"{url}/#key={keys['shop']}")
    freshness = page.locator("#freshness")
    expect(freshness).to_have_attribute("data-as-of", re.compile(r"Z$"))
    first = freshness.get_attribute("data-as-of")
    expect(freshness).not_to_have_attribute("data-as-of", first or "", timeout=20_000)


def test_the_links_lead_to_dagster_and_the_documentation(page: Page, url: str, keys: dict[str, str]) -> None:
    page.goto(f"{url}/#key={keys['shop']}")
    expect(page.get_by_role("link", name="Dagster")).to_have_attribute("href", "http://127.0.0.1:3000/")
    page.get_by_role("link", name="API").click()
    expect(page.get_by_role("heading", name="/api/metrics/daily")).to_be_visible()
    expect(page.get_by_role("cell", name="event_name", exact=True)).to_be_visible()
