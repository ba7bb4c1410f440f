"""Boards: made and changed with the keyboard's buttons, shown the same to whoever has the link, and health."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration


def add(page: Page, kind: str, text: str = "", **chosen: str) -> None:
    page.get_by_role("button", name="Add a widget").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox", name="Shows").select_option(label=kind)
    for label, value in chosen.items():
        form.get_by_role("combobox", name=label, exact=True).select_option(label=value)
    if text:
        form.get_by_role("textbox", name="Text").fill(text)
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form).to_have_count(0)


def test_a_board_is_made_and_shared_by_a_link_until_it_is_revoked(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/boards", key="shop_admin")
    page.get_by_role("button", name="New board").click()
    page.get_by_label("Name").fill("מבט שבועי")
    page.get_by_role("button", name="Make it").click()
    add(page, "A number", Metric="Events", Range="Last 7 days")
    add(page, "The largest values", Metric="Page views", By="Country", Range="Last 7 days")
    add(page, "A text", "Looked at every Monday.")
    page.get_by_role("button", name="Move the text forward").click()
    page.get_by_label("Size of Page views by country").select_option(label="Full width")
    page.get_by_role("button", name="Save board").click()
    expect(page.get_by_role("heading", name="מבט שבועי")).to_be_visible()
    [row] = shop.ask(metrics=["events"], date_range="7d")["data"]
    expect(page.locator("[data-value]")).to_have_attribute("data-value", str(row["events"]))
    [board] = [one for one in shop.get("dashboards") if one["name"] == "מבט שבועי"]
    assert [(one["kind"], one["size"]) for one in board["widgets"]] == [
        ("number", "small"),
        ("text", "medium"),
        ("bar", "full"),
    ]
    page.get_by_role("button", name="Share this board").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("The link, shown once").input_value()
    shown = open_page(link.removeprefix(f"{shop.url}/"), key=None)
    expect(shown.get_by_role("heading", name="מבט שבועי")).to_be_visible()
    expect(shown.locator("[data-value]")).to_have_attribute("data-value", str(row["events"]))
    expect(shown.get_by_role("region", name="Page views by country").locator("li")).not_to_have_count(0)
    expect(shown.get_by_role("button", name=re.compile("Edit|Save|Share"))).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    gone = open_page(link.removeprefix(f"{shop.url}/"), key=None, may_lose=True)
    expect(gone.get_by_role("alert")).to_be_visible()


def test_a_change_of_somebody_else_is_not_overwritten(open_page: OpenPage, shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.keys['shop_admin']}"}
    [made] = shop.post("dashboards", {"name": "Ours"})["data"]
    page = open_page(f"#/shop/boards/{made['id']}?edit=1", key="shop_admin", may_lose=True)
    expect(page.get_by_role("button", name="Save board")).to_be_visible()
    place = f"{shop.url}/api/dashboards/{made['id']}"
    httpx.put(place, json={"name": "Theirs"}, headers=headers | {"If-Match": '"1"'}).raise_for_status()
    page.get_by_role("button", name="Save board").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed this board")
    httpx.delete(place, headers=headers).raise_for_status()


def test_health_says_what_the_api_does_and_where_the_pipeline_computes_it(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/health", key="shop_admin")
    headers = {"Authorization": f"Bearer {shop.keys['shop']}"}
    data = httpx.get(f"{shop.url}/api/health", headers=headers).json()["data"]
    expect(page.locator(".health-state")).to_have_attribute("data-status", data["status"])
    expect(page.locator("[data-arrival=Received] .stat-value")).to_have_text(str(data["accounting"]["received"]))
    expect(page.locator("[data-mart]")).to_have_count(len(data["marts"]))
    mart = page.locator("[data-mart=page_daily]")
    expect(mart.get_by_role("link", name="page_daily in Dagster")).to_have_attribute(
        "href", re.compile(r"/assets/marts/page_daily$")
    )
    expect(mart.get_by_role("link", name="Documentation of page_daily")).to_have_attribute(
        "href", "/docs/metrics#!/model/model.eventmill.page_daily"
    )
