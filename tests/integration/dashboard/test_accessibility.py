"""Every page in both themes, wide and narrow: no serious finding of axe, and nothing wider than the screen."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage, settled
from tests.sdk.install import MODULES, why_missing

pytestmark = [pytest.mark.integration, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]

FUNNEL = {"steps": [{"event_type": "page_view"}, {"event_type": "purchase"}], "breakdown": "country"}
OF_PEOPLE = (
    f"funnels/new?q={quote(json.dumps(FUNNEL))}",
    "retention?interval=day",
    "cohorts/new",
    "goals?range=7d",
    "health",
)
VISITS = "overview?range=7d&f=is:entry_page:https://shop.example/cart"
PAGES = ("overview?range=7d", VISITS, "live", "explore?range=7d&d=country", "overview?range=60m", *OF_PEOPLE)
LOOKS: dict[str, dict[str, Any]] = {
    "light, wide": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark, narrow": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"},
}


def turn(page: Page, look: str) -> None:
    """Have an open page in other colours and of another width."""
    media = {name: value for name, value in LOOKS[look].items() if name != "viewport"}
    page.emulate_media(**{"reduced_motion": "no-preference", **media})
    page.set_viewport_size(LOOKS[look]["viewport"])
    # Chromium is slow to tell buttons of other colours while they stay on the screen.
    for display in ("none", ""):
        page.evaluate(f"document.documentElement.style.display = '{display}'; document.body.offsetHeight")
    # Charts are drawn anew in the next frame.
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")


def findings(page: Page) -> list[str]:
    """Serious and critical findings, each with the element."""
    page.evaluate((MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("where", PAGES)
def test_a_page_is_for_everybody(open_page: OpenPage, where: str) -> None:
    page = open_page(f"#/shop/{where}", **LOOKS["light, wide"])
    settled(page)
    for look in LOOKS:
        turn(page, look)
        assert findings(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


def test_sign_in_and_what_opens_are_for_everybody(open_page: OpenPage) -> None:
    page = open_page(key=None)
    expect(page.get_by_label("Read key")).to_be_focused()
    assert findings(page) == []
    page = open_page("#/shop/overview?range=7d")
    page.get_by_role("region", name="Events").get_by_role("button", name="Name", exact=True).press("Tab")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_label("Field")).to_be_visible()
    assert findings(page) == []


def test_lists_of_people_and_shared_boards_are_for_everybody(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(f"#/shop/{OF_PEOPLE[0]}", key="shop_admin", **LOOKS["dark, narrow"])
    page.get_by_role("button", name="Step 2, purchase").click()
    expect(page.locator(".person").first).to_be_visible()
    assert findings(page) == []
    page.locator(".person").first.click()
    expect(page.locator(".timeline li").first).to_be_visible()
    assert findings(page) == []
    question = {"metrics": ["page_views"], "date_range": "7d"}
    by_page = {"kind": "bar", "question": question | {"dimensions": ["page_url"]}}
    course = {"kind": "timeseries", "question": question | {"granularity": "day"}}
    widgets = [{"kind": "number", "question": question}, by_page, course, {"kind": "text", "text": "Every Monday"}]
    [board] = shop.post("dashboards", {"name": "For everybody", "widgets": widgets})["data"]
    [share] = shop.post(f"dashboards/{board['id']}/shares", {})["data"]
    shown = open_page(f"shared/{share['token']}", key=None)
    expect(shown.get_by_text("Every Monday")).to_be_visible()
    settled(shown)
    for look in LOOKS:
        turn(shown, look)
        assert findings(shown) == [], look
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
