"""Retention, cohorts and goals: every cell is the API's, what is not over says so, and lists are as long as counts."""

import re

import pytest
from playwright.sync_api import expect

from tests.dashboard_shop import GOAL, Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration
COHORT = {"filter": {"event_type": "page_view"}, "return_event": "any"}


def test_the_triangle_has_the_api_s_numbers_and_marks_what_is_not_over(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/retention?interval=day&show=count", key="shop_admin")
    rows = shop.post("retention/query", COHORT | {"interval": "day"})["data"]
    cells = page.locator(".triangle tbody td[data-returned]")
    expect(cells).to_have_count(len(rows))
    in_order = sorted(rows, key=lambda row: (row["cohort_date"], row["period_offset"]))
    assert [int(cell.get_attribute("data-returned") or "") for cell in cells.all()] == [
        row["returning_users"] for row in in_order
    ]
    expect(page.locator(".triangle tbody td.hatched")).to_have_count(sum(row["is_incomplete"] for row in rows))
    open_cell = next(row for row in in_order if row["returning_users"])
    page.locator(".triangle tbody td button").nth(1).click()
    expect(page.locator(".total")).to_have_text(str(open_cell["returning_users"]))
    expect(page.locator(".person")).to_have_count(open_cell["returning_users"])
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Then or later").click()
    expect(page).to_have_url(re.compile("mode=on_or_after"))


def test_a_cohort_is_built_saved_and_as_large_as_its_list(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/cohorts/new", key="shop_admin")
    page.get_by_label("Event of the cohort").select_option(label="purchase")
    count = shop.post("retention/query", {**COHORT, "filter": GOAL["filter"]})["meta"]["user_count"]
    expect(page.locator("[data-size]")).to_have_text(str(count))
    page.get_by_role("button", name="Save this cohort").click()
    page.get_by_label("Name").fill("Buyers")
    page.get_by_role("button", name="Save cohort").click()
    expect(page).to_have_url(re.compile("#/shop/cohorts/buyers$"))
    page.get_by_role("button", name="People of the cohort").click()
    expect(page.locator(".total")).to_have_text(str(count))
    expect(page.locator(".person")).to_have_count(count)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Retention").last.click()
    expect(page.get_by_role("heading", name="Retention of Buyers")).to_be_visible()
    expect(page.get_by_role("combobox", name="Cohort", exact=True)).to_have_value("buyers")


def test_a_goal_shows_its_conversion_and_who_reached_it(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/goals?range=7d", key="shop_admin")
    [row] = shop.ask(metrics=["conversion_rate", "converted_sessions"], goal="purchase", date_range="7d")["data"]
    goal = page.locator("[data-goal=purchase]")
    expect(goal.locator("[data-rate]")).to_have_attribute("data-rate", str(row["conversion_rate"]))
    [people] = shop.ask(metrics=["unique_visitors"], date_range="7d", filters=[["is", "event_type", ["purchase"]]])[
        "data"
    ]
    goal.get_by_role("button", name="Purchase: visitors").click()
    expect(page.locator(".total")).to_have_text(str(people["unique_visitors"]))
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="New goal").click()
    page.get_by_label("Event of the goal").select_option(label="page_view")
    page.get_by_label("Name").fill("Saw a page")
    page.get_by_role("button", name="Save goal").click()
    expect(page).to_have_url(re.compile("goals/saw-a-page"))
    assert "saw-a-page" in {one["identifier"] for one in shop.get("goals")}
    page.get_by_role("button", name="Delete Saw a page").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("[data-goal]")).to_have_count(1)
