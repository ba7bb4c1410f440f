"""Every number says what it means, where it comes from and how fresh it is, in the words of the documentation."""

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage, settled

pytestmark = pytest.mark.integration
FUNNEL = {"steps": [{"event_type": "page_view"}, {"event_type": "purchase"}]}
# Of each page some names that must be among those that are explained.
PAGES = {
    "overview?range=7d": {"Visitors", "Bounce rate", "Purchase"},
    "live": {"Active users", "Events by minute"},
    "explore?range=7d&m=events,bounce_rate": {"Events", "Bounce rate"},
    f"funnels/new?q={quote(json.dumps(FUNNEL))}": {"People", "of the first step", "went on", "did not"},
    "retention?interval=day": {"People", "Average", "not over yet", "the share that came back"},
    "cohorts/new": {"people"},
    "goals?range=7d": {"Conversion rate", "Conversions", "Visitors with it"},
    "health?tables=open": {"Received", "Checks", "Behind", "Complete through", "To compute", "Aim"},
}


def explained(page: Page) -> dict[str, str]:
    """What each name that explains itself says once it is pointed at."""
    found = {}
    for name in page.locator("main .term, main .sort:has(.meant)").all():
        # By the keyboard: the mouse has to linger.
        name.focus()
        if name.get_attribute("class") == "term":
            page.keyboard.press("Enter")
        note = page.get_by_role("note")
        expect(note).not_to_contain_text("Looking up")
        found[name.inner_text().strip("↑↓ ")] = note.inner_text()
        page.keyboard.press("Escape")
        expect(note).to_have_count(0)
    return found


@pytest.mark.parametrize("where", PAGES)
def test_every_number_of_a_page_explains_itself(open_page: OpenPage, where: str) -> None:
    page = open_page(f"#/shop/{where}", key="shop_admin")
    settled(page)
    said = explained(page)
    assert set(said) >= PAGES[where]
    assert {name: text for name, text in said.items() if "not known yet" in text or "From " not in text} == {}


def test_a_shared_board_explains_its_numbers_to_people_without_a_key(open_page: OpenPage, shop: Shop) -> None:
    question = {"metrics": ["page_views"], "date_range": "7d"}
    by_day = {"kind": "table", "question": question | {"granularity": "day"}}
    widgets = [{"kind": "number", "question": question}, by_day]
    [board] = shop.post("dashboards", {"name": "Explained", "widgets": widgets})["data"]
    [share] = shop.post(f"dashboards/{board['id']}/shares", {})["data"]
    page = open_page(f"shared/{share['token']}", key=None)
    settled(page)
    said = explained(page)
    assert "without those of bots" in said["Page views"]
    assert "Complete through" in said["Page views"]


def test_a_column_is_explained_to_the_keyboard_and_sorted_by_it(open_page: OpenPage) -> None:
    page = open_page("#/shop/explore?range=7d&d=country&m=events,bounce_rate")
    head = page.get_by_role("columnheader", name="Bounce rate")
    page.get_by_role("columnheader", name="Events").get_by_role("button").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("note")).to_contain_text("Percent, two decimals: bounces")
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
