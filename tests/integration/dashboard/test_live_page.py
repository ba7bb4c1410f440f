"""The live page: numbers of the stream as they come, and a word when they stop coming."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration

# Events arrive in a fraction of a second; this is for a machine that does other things as well.
SOON_MS = 20_000


def live_counters(shop: Shop, app_id: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {shop.keys[app_id]}"}
    found: dict[str, Any] = httpx.get(f"{shop.url}/api/live", headers=headers).json()["data"]["counters"]
    return found


def test_an_event_shows_up_by_itself_in_cards_lists_and_feed(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/live")
    expect(page.get_by_text("Live", exact=True).last).to_be_visible()
    before = live_counters(shop, "shop")["events_5m"]
    expect(page.locator("[data-counter=events_5m] .stat-value")).to_have_text(str(before))
    shop.send("shop", page_url="https://shop.example/just-now", country="NP", anonymous_id="newcomer")
    expect(page.locator("[data-counter=events_5m] .stat-value")).to_have_text(str(before + 1), timeout=SOON_MS)
    first = page.get_by_role("log", name="Latest events").locator("li").first
    expect(first).to_contain_text("page_view")
    expect(first).to_contain_text("shop.example/just-now")
    expect(page.get_by_role("region", name="Countries now")).to_contain_text("Nepal")


def test_the_cards_of_today_are_those_of_the_api(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/live")
    counters = live_counters(shop, "shop")
    for name in ("events_today", "users_today"):
        expect(page.locator(f"[data-counter={name}] .stat-value")).to_have_text(str(counters[name]))


def test_a_click_on_a_page_opens_the_last_hour_of_it(open_page: OpenPage, shop: Shop) -> None:
    shop.send("shop", page_url="https://shop.example/cart")
    page = open_page("#/shop/live")
    page.get_by_role("region", name="Pages now").get_by_role("button", name=re.compile(r"^shop\.example.cart:")).click()
    expect(page).to_have_url(re.compile(r"/overview\?range=60m&f=is:page_url:https://shop.example/cart$"))
    page.go_back()
    page.go_back()
    expect(page.get_by_role("heading", name="Live")).to_be_visible()


def test_a_service_that_is_gone_makes_the_page_stale_until_it_is_back(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/live", may_lose=True)
    expect(page.locator(".live-state.on")).to_be_visible()
    shop.stop()
    try:
        expect(page.locator(".live-state.lost")).to_contain_text("Stale since", timeout=SOON_MS)
        expect(page.locator("[data-counter=events_5m] .stat-value")).not_to_have_text("–")
    finally:
        shop.start()
    expect(page.locator(".live-state.on")).to_be_visible(timeout=SOON_MS)
    shop.send("shop", event_type="signed_up_again")
    feed = page.get_by_role("log", name="Latest events")
    expect(feed.locator("li").first).to_contain_text("signed_up_again", timeout=SOON_MS)
