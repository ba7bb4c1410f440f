"""The overview: its numbers are the API's, filters and ranges are the address, and Back undoes them."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard_shop import HEBREW_PAGE, LONG_NAME, Shop
from tests.integration.dashboard.conftest import OpenPage, settled

pytestmark = pytest.mark.integration


def card(page: Page, metric: str) -> str:
    value = page.locator(f"[data-metric={metric}] .stat-value")
    expect(value).not_to_have_text("")
    return value.inner_text()


def test_the_cards_show_what_the_api_answers(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d")
    metrics = ["unique_visitors", "unique_sessions", "page_views", "events", "bounce_rate"]
    [expected] = shop.ask(metrics=metrics, date_range="7d")["data"]
    shown = {name: card(page, name) for name in metrics}
    counts = {name: str(expected[name]) for name in metrics[:-1]}
    assert shown == counts | {"bounce_rate": f"{round(expected['bounce_rate'], 1):g}%"}


def test_goal_and_revenue_have_cards_where_there_are_any(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d&f=is:country:DE")
    [expected] = shop.ask(metrics=["revenue"], date_range="7d", filters=[["is", "country", ["DE"]]])["data"]
    expect(page.locator("[data-metric=revenue] .stat-value")).to_have_text(f"€{expected['revenue']:,.0f}")
    expect(page.locator("[data-metric=conversion_rate] .stat-label")).to_contain_text("Purchase")


def test_revenue_in_several_currencies_has_a_line_for_each(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d&metric=revenue")
    [row] = shop.ask(metrics=["revenue"], date_range="7d")["data"]
    amounts = row["revenue_by_currency"]
    lines = page.locator("[data-metric=revenue] .amounts > span")
    expect(lines.nth(0)).to_have_text(re.compile(rf"^€{amounts['EUR']:,.0f}\b"))
    expect(lines.nth(1)).to_have_text(re.compile(rf"^US\${amounts['USD']:,.0f}\b"))
    expect(page.get_by_role("region", name="Course").locator(".legend li")).to_have_text(["EUR", "USD"])


def test_a_click_on_an_entry_page_shows_the_visits_that_began_there(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d&pages=entry_page")
    top, *_ = shop.ask(metrics=["sessions_started"], dimensions=["entry_page"], date_range="7d")["data"]
    page.get_by_role("region", name="Pages").locator("button.bar-name").first.click()
    expect(page).to_have_url(re.compile("f=is:entry_page:"))
    began = {"date_range": "7d", "filters": [["is", "entry_page", [top["entry_page"]]]]}
    [visits] = shop.ask(metrics=["sessions_started"], **began)["data"]
    expect(page.locator("[data-metric=sessions_started] .stat-value")).to_have_text(str(visits["sessions_started"]))
    expect(page.get_by_text("Visitors, views and events are not known by it")).to_be_visible()
    countries = shop.ask(metrics=["sessions_started"], dimensions=["country"], **began)["data"]
    values = page.get_by_role("region", name="Countries").locator(".bar-value")
    named_first = sorted(countries, key=lambda row: row["country"] is None)
    expect(values).to_have_text([str(row["sessions_started"]) for row in named_first])
    page.go_back()
    expect(page.locator("[data-metric=unique_visitors]")).to_be_visible()


def test_a_chosen_list_and_its_drawer_are_in_the_address(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=7d&f=is:country:DE&devices=browser")
    expect(page.get_by_role("region", name="Devices").get_by_role("button", name="Browser")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.evaluate("location.hash += '&all=devices'")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Devices: Browser")).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_lists_and_chart_show_what_the_api_answers(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d")
    top = shop.ask(metrics=["unique_visitors"], dimensions=["country"], date_range="7d")["data"]
    rows = page.get_by_role("region", name="Countries").locator(".bars li")
    expect(rows).to_have_count(len(top))
    expect(rows.first).to_have_text(re.compile(rf"Germany\s*{top[0]['unique_visitors']}"))
    days = shop.ask(metrics=["unique_visitors"], date_range="7d", granularity="day")["data"]
    cells = page.get_by_role("region", name="Course").locator("tbody tr td:nth-child(2)")
    expect(cells).to_have_text([str(day["unique_visitors"]) for day in days])


def test_a_click_filters_everything_and_back_undoes_it(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=7d")
    all_events = card(page, "events")
    page.get_by_role("region", name="Countries").get_by_role("button", name=re.compile("^Germany")).click()
    [expected] = shop.ask(metrics=["events"], date_range="7d", filters=[["is", "country", ["DE"]]])["data"]
    expect(page.locator("[data-metric=events] .stat-value")).to_have_text(str(expected["events"]))
    assert page.url.endswith("#/shop/overview?range=7d&f=is:country:DE")
    expect(page.get_by_role("list", name="Filters")).to_contain_text("Country is Germany")
    page.go_back()
    expect(page.locator("[data-metric=events] .stat-value")).to_have_text(all_events)
    expect(page.get_by_role("list", name="Filters")).to_have_count(0)


def test_a_link_shows_to_others_what_it_was_copied_from(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("#/shop/overview?range=yesterday&compare=none&metric=events&f=is_not:country:FR")
    asked = {"metrics": ["events"], "date_range": "yesterday", "filters": [["is_not", "country", ["FR"]]]}
    [expected] = shop.ask(**asked)["data"]
    expect(page.locator("[data-metric=events] .stat-value")).to_have_text(str(expected["events"]))
    expect(page.get_by_role("button", name="Range: Yesterday")).to_be_visible()
    expect(page.locator("[data-metric=events] .stat-change")).to_have_text("")
    expect(page.get_by_role("slider")).to_have_attribute("aria-label", re.compile("^Events by hour"))


def test_range_granularity_and_metric_are_chosen_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview")
    page.get_by_role("button", name=re.compile("^Range")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="Last 30 days")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("range=7d"))
    expect(page.get_by_role("button", name="Range: Last 7 days")).to_be_focused()
    page.get_by_role("button", name=re.compile("^Events: .* Show it in the chart")).press("Enter")
    chart = page.get_by_role("slider", name=re.compile("^Events by day"))
    before = chart.get_attribute("aria-valuetext")
    chart.press("ArrowLeft")
    expect(chart).not_to_have_attribute("aria-valuetext", before or "")


def test_times_are_in_the_apps_zone_and_names_of_any_kind_have_room(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=7d", viewport={"width": 390, "height": 844})
    expect(page.locator(".freshness")).to_contain_text("(Asia/Kathmandu)")
    expect(page.locator("bdi", has_text=LONG_NAME)).to_be_visible()
    expect(page.locator("bdi", has_text=HEBREW_PAGE.removeprefix("https://"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def enlarged(route: Route) -> None:
    """The service's answer with numbers of a thousand million and more."""
    answer = route.fetch()
    body = answer.json()
    for row in body["data"]:
        row |= {name: 10**8 * value for name, value in row.items() if type(value) is int}
    route.fulfill(response=answer, json=body)


@pytest.mark.parametrize("width", [390, 1280])
def test_thousands_of_millions_fit_and_every_digit_is_on_hover(open_page: OpenPage, shop: Shop, width: int) -> None:
    page = open_page("#/shop/live", viewport={"width": width, "height": 900})
    page.route("**/api/v2/query", enlarged)
    page.evaluate("location.hash = '#/shop/overview?range=7d'")
    [row] = shop.ask(metrics=["events"], date_range="7d")["data"]
    value = page.locator("[data-metric=events] .stat-value")
    expect(value).to_have_text(re.compile(r"^\d+(\.\d)?bn$"))
    expect(value).to_have_attribute("title", f"{10**8 * row['events']:,}")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_filter_that_nothing_meets_leaves_an_empty_page_that_says_so(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=7d&f=is:country:ZZ")
    expect(page.locator("[data-metric=events] .stat-value")).to_have_text("0")
    expect(page.locator("[data-metric=events] .stat-change")).to_have_text("–")
    expect(page.locator("[data-metric=bounce_rate] .stat-value")).to_have_text("–")
    expect(page.get_by_role("region", name="Pages")).to_contain_text("No page views in this range.")


def test_a_number_says_what_it_means_and_where_it_comes_from(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=7d")
    page.get_by_role("button", name="Bounce rate", exact=True).click()
    note = page.get_by_role("note")
    expect(note).to_contain_text("Percent, two decimals: bounces")
    expect(note).to_contain_text("From hourly and daily aggregates, exact. Complete through")
    page.keyboard.press("Escape")
    expect(note).to_have_count(0)


def test_one_failed_widget_leaves_the_others(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(key=None, may_lose=True)
    page.route(
        "**/api/v2/query",
        lambda route: route.abort() if '"country"' in (route.request.post_data or "") else route.continue_(),
    )
    page.goto(f"{shop.url}/#key={shop.keys['shop']}")
    expect(page.get_by_role("region", name="Countries").get_by_role("alert")).to_contain_text("cannot be reached")
    expect(page.get_by_role("region", name="Devices").locator(".bars li")).not_to_have_count(0)
    page.unroute("**/api/v2/query")
    page.get_by_role("region", name="Countries").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("region", name="Countries").locator(".bars li")).not_to_have_count(0)


def test_no_range_and_no_filter_asks_for_what_the_service_refuses(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=5m")
    for where in (
        "range=today&f=is:page_url:https://shop.example/cart",
        "range=24h&f=is:country:DE&f=is:browser:Firefox",
        "range=7d&f=is:event_name:purchase",
        "range=all&by=month",
    ):
        page.evaluate(f"location.hash = '#/shop/overview?{where}'")
        expect(page.locator("[data-metric=events] .stat-value")).not_to_have_text("")
        expect(page.locator(".bone")).to_have_count(0, timeout=30_000)
