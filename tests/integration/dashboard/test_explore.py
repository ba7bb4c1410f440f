"""Explore: rows and CSV are the API's, and what was chosen is in the address."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration

QUESTION = {"metrics": ["events", "unique_visitors"], "dimensions": ["country", "device_type"], "date_range": "7d"}


def test_the_table_shows_what_the_api_answers_and_sorts_by_any_column(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/explore?range=7d&m=events,unique_visitors&d=country,device_type")
    rows = page.get_by_role("region", name="Rows").locator("tbody tr")
    expected = shop.ask(**QUESTION)["data"]
    expect(rows).to_have_count(len(expected))
    expect(rows.first.locator("td").nth(2)).to_have_text(str(expected[0]["events"]))
    page.get_by_role("columnheader", name="Visitors").get_by_role("button").click()
    most = max(row["unique_visitors"] for row in expected)
    expect(rows.first.locator("td").nth(3)).to_have_text(str(most))
    expect(page.get_by_role("columnheader", name="Visitors")).to_have_attribute("aria-sort", "descending")


def test_the_csv_has_the_same_rows(open_page: OpenPage, shop: Shop, tmp_path: Path) -> None:
    page = open_page("#/shop/explore?range=7d&m=events&d=event_name")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    file = tmp_path / "rows.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as lines:
        found = {row["event_name"]: int(row["events"]) for row in csv.DictReader(lines)}
    rows = shop.ask(metrics=["events"], dimensions=["event_name"], date_range="7d")["data"]
    assert found == {row["event_name"]: row["events"] for row in rows}


def test_metrics_and_dimensions_are_chosen_into_the_address(open_page: OpenPage) -> None:
    page = open_page("#/shop/explore?range=7d")
    page.get_by_role("button", name="Add to by").click()
    page.get_by_role("menuitem", name="Country").click()
    expect(page).to_have_url(re.compile("d=country"))
    expect(page.locator(".legend")).to_contain_text("Germany")
    page.get_by_role("button", name="Remove Country").click()
    expect(page.get_by_role("columnheader", name="Period", exact=True).last).to_be_visible()
    page.get_by_role("button", name="Add to by").click()
    page.get_by_label("A property").fill("currency")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="EUR")).to_be_visible()
