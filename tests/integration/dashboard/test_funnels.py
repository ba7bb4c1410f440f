"""Funnels and the people behind them: bars are the API's, lists are as long as the counts say, and both are saved."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard_shop import LONG_NAME, Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration
FUNNEL: dict[str, Any] = {
    "steps": [{"event_type": "page_view"}, {"event_type": "purchase"}],
    "window": "7d",
    "days": 30,
}


def opened(open_page: OpenPage, key: str = "shop_admin", **more: Any) -> Page:
    return open_page(f"#/shop/funnels/new?q={quote(json.dumps(FUNNEL | more))}", key=key)


def test_a_funnel_is_built_from_the_events_that_there_are(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/funnels/new")
    page.get_by_label("Event of step 2").select_option(label="purchase")
    first, second = shop.post("funnels/query", FUNNEL, "shop")["data"]
    assert 0 < second["users"] < first["users"]
    expect(page.locator(".funnel-step .funnel-count strong")).to_have_text([str(first["users"]), str(second["users"])])
    expect(page.locator(".funnel-between")).to_contain_text(f"−{first['users'] - second['users']} did not")
    page.get_by_label("Broken down by").select_option(label="Country")
    rows = shop.post("funnels/query", FUNNEL | {"breakdown": "country"}, "shop")["data"][2:]
    table = page.get_by_role("region", name="By Country").locator("tbody tr")
    expect(table).to_have_count(len(rows) // 2)
    expect(table.first.locator("td").first).to_have_text(str(rows[0]["users"]))
    page.go_back()
    expect(table).to_have_count(0)


def test_a_count_opens_as_many_people_and_each_of_them_what_they_did(open_page: OpenPage, shop: Shop) -> None:
    page = opened(open_page, breakdown="country")
    rows = shop.post("funnels/query", FUNNEL | {"breakdown": "country"})["data"]
    total, dropped, germans = rows[1]["users"], rows[0]["users"] - rows[1]["users"], rows[2]["users"]
    for name, count in (("Step 2, purchase", total), ("Dropped off", dropped), ("Germany, step 1", germans)):
        page.get_by_role("button", name=name).click()
        expect(page.locator(".total")).to_have_text(str(count))
        expect(page.locator(".person")).to_have_count(count)
        page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Step 2, purchase").click()
    page.locator(".person").first.click()
    person = shop.post("people/query", {"of": "funnel", "definition": FUNNEL, "step": 2})["data"][0]
    did = shop.get(f"people/{person['person']}/events", "shop_admin")
    expect(page.locator(".timeline li")).to_have_count(len(did))
    expect(page.get_by_role("heading", name=person["anonymous_id"])).to_be_visible()
    page.get_by_role("button", name="Back to the list").click()
    expect(page.locator(".person").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_open_list_and_a_person_of_it_are_in_the_address_without_an_id(open_page: OpenPage, shop: Shop) -> None:
    page = opened(open_page)
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Step 2, purchase").click()
    person = shop.post("people/query", {"of": "funnel", "definition": FUNNEL, "step": 2})["data"][1]
    page.locator(".person").nth(1).click()
    expect(dialog.get_by_role("heading", name=person["anonymous_id"])).to_be_visible()
    assert person["person"] not in page.url
    page.reload()
    expect(dialog.get_by_role("heading", name=person["anonymous_id"])).to_be_visible()
    page.go_back()
    expect(dialog.get_by_role("heading", name="2. purchase")).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)
    page.go_forward()
    expect(page.locator(".person").first).to_be_visible()


def test_a_link_to_a_person_names_nobody_to_whoever_may_not_see_people(open_page: OpenPage) -> None:
    behind = quote(json.dumps({"step": 2}))
    page = open_page(f"#/shop/funnels/new?q={quote(json.dumps(FUNNEL))}&list={behind}&person=1x2y3z", may_lose=True)
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("may not see people")


def test_an_exclusion_is_built_and_breaks_paths_as_the_api_says(open_page: OpenPage, shop: Shop) -> None:
    page = opened(open_page)
    page.get_by_role("button", name="Leave out who had").click()
    expect(page.get_by_text("Choose an event for each step")).to_be_visible()
    page.get_by_label("Event of exclusion 1").select_option(label=LONG_NAME)
    excluded = shop.post("funnels/query", FUNNEL | {"exclude": [{"event_name": LONG_NAME}]})["data"]
    assert excluded[1]["users"] < shop.post("funnels/query", FUNNEL)["data"][1]["users"]
    expect(page.locator(".funnel-count strong")).to_have_text([str(row["users"]) for row in excluded])
    page.get_by_role("button", name="Remove exclusion 1").click()
    expect(page).not_to_have_url(re.compile("exclude"))


def test_the_builder_says_all_that_a_funnel_can(open_page: OpenPage) -> None:
    steps = [{"event_type": "page_view"}, {"event_type": "page_view"}, {"event_type": "purchase"}]
    page = opened(open_page, steps=steps)
    page.get_by_label("Name of step 1").fill("Looked")
    page.get_by_role("button", name="Leave out who had").click()
    page.get_by_label("Event of exclusion 1").select_option(label="custom")
    page.get_by_label("First step of exclusion 1").select_option(label="2. page_view")
    page.get_by_label("Order").select_option(label="In this order, nothing between")
    page.get_by_label("Unit of that time").select_option(label="weeks")
    page.get_by_label("Who began in").select_option(label="Between two days")
    page.get_by_label("First day").fill("2026-03-01")
    page.get_by_label("Last day").fill("2026-03-31")
    page.get_by_label("Last day").press("Tab")
    page.get_by_role("combobox", name="Count", exact=True).select_option(label="Sessions")
    page.get_by_label("Broken down by").select_option(label="Country")
    page.get_by_label("Bots too").check()
    expect(page).to_have_url(re.compile("include_bots"))
    [asked] = parse_qs(urlsplit(page.url).fragment.partition("?")[2])["q"]
    assert json.loads(asked) == {
        "steps": [steps[0] | {"name": "Looked"}, *steps[1:]],
        "exclude": [{"event_type": "custom", "from_step": 2}],
        "order": "strict",
        "window": "7w",
        "from": "2026-02-28T18:15:00Z",
        "to": "2026-03-31T18:15:00Z",
        "count_by": "session",
        "breakdown": "country",
        "include_bots": True,
    }


def test_a_name_that_is_being_typed_is_not_taken_away_by_an_answer(open_page: OpenPage) -> None:
    page = opened(open_page)
    name = page.get_by_label("Name of step 1")
    name.press_sequentially("Loo")
    # Another funnel than the one in whose builder somebody types: its answer draws the page anew.
    page.evaluate("location.hash = location.hash.replace(encodeURIComponent('7d'), '9d').replace('7d', '9d')")
    expect(page.get_by_label("Time from first to last step")).to_have_value("9")
    name.press_sequentially("ked")
    expect(name).to_have_value("Looked")
    name.press("Tab")
    expect(page).to_have_url(re.compile("Looked"))


def test_a_key_that_may_not_see_people_is_told_so(open_page: OpenPage) -> None:
    page = open_page(f"#/shop/funnels/new?q={quote(json.dumps(FUNNEL))}", key="shop", may_lose=True)
    page.get_by_role("button", name="Step 1, page_view").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("may not see people")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Save this funnel").click()
    page.get_by_label("Name", exact=True).fill("Not mine to save")
    page.get_by_role("button", name="Save funnel").click()
    expect(page.get_by_role("alert")).to_contain_text("needs an admin key")


def test_a_saved_funnel_opens_again_with_the_same_steps(open_page: OpenPage, shop: Shop) -> None:
    page = opened(open_page, window="2h", order="any")
    users = page.locator(".funnel-count strong").all_text_contents
    expect(page.locator(".funnel-count strong")).to_have_count(2)
    before = users()
    page.get_by_role("button", name="Save this funnel").click()
    page.get_by_label("Name", exact=True).fill("Two hours")
    page.get_by_role("button", name="Save funnel").click()
    expect(page).to_have_url(re.compile("#/shop/funnels/two-hours$"))
    page.reload()
    expect(page.get_by_role("heading", name="Two hours")).to_be_visible()
    expect(page.get_by_role("combobox", name="Order")).to_have_value("any")
    expect(page.locator(".funnel-count strong")).to_have_count(2)
    assert users() == before
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page).to_have_url(re.compile("#/shop/funnels$"))
    assert all(one["identifier"] != "two-hours" for one in shop.get("funnels"))
