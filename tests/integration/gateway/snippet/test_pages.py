"""What the snippet counts on a page, seen in what the broker got."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page

from tests.snippet_site import HIDE, Arrived, Site, leave, of_type, views

pytestmark = pytest.mark.integration


async def test_a_page_view_is_a_web_event_of_a_visitor_that_the_gateway_names(
    page: Page, site: Site, arrived: Arrived
) -> None:
    await page.goto(f"{site.url}/products?utm_source=mail#top", referer="https://search.example/")
    (view,) = await arrived.count(1)
    assert (view.event_type, view.page_url, view.page_title) == ("page_view", f"{site.url}/products", "A page")
    assert (view.source, view.utm_source, view.referrer) == ("web", "mail", "https://search.example/")
    assert (view.anonymous_id[:6], view.session_id, view.user_id) == ("daily-", None, None)
    assert view.timestamp <= view.sent_at


async def test_navigation_without_loading_counts_each_page_once(page: Page, site: Site, arrived: Arrived) -> None:
    await page.goto(f"{site.url}/a")
    await page.evaluate("""() => {
        history.pushState({}, '', '/b'); history.replaceState({step: 1}, '', '/b'); history.pushState({}, '', '/b');
        history.replaceState({}, '', '/b?sort=price');  // a filter that notes itself
        location.hash = 'reviews';
        history.pushState({}, '', '/search?q=1'); history.pushState({}, '', '/search?q=2');
        document.title = 'Second search';
    }""")
    await page.go_back()
    await page.evaluate("em('end')")
    events = await arrived.events(lambda events: bool(of_type(events, "end")))
    paths = ["/a", "/b", "/search", "/search", "/search"]
    assert views(events) == [site.url + path for path in paths]
    seen = of_type(events, "page_view")
    assert [view.page_query for view in seen[2:]] == ["q=1", "q=2", "q=1"]
    assert seen[3].page_title == "Second search"
    assert seen[1].referrer == f"{site.url}/a"


async def test_fragments_are_pages_when_the_app_asks(page: Page, site: Site, arrived: Arrived) -> None:
    site.attributes = {"data-hash": ""}
    await page.goto(f"{site.url}/app?x=1#/inbox")
    await page.evaluate("location.hash = '#/inbox/7'")
    await page.go_back()
    await page.evaluate("em('end')")
    events = await arrived.events(lambda events: bool(of_type(events, "end")))
    assert views(events) == [f"{site.url}/app/inbox{rest}" for rest in ("", "/7", "")]


async def test_a_page_that_the_browser_kept_for_the_back_button_is_viewed_again(
    page: Page, site: Site, arrived: Arrived
) -> None:
    await page.goto(f"{site.url}/one")
    await page.evaluate("window.isKept = true")
    await page.goto(f"{site.url}/two")
    await page.evaluate("history.back()")
    events = await arrived.events(lambda events: len(views(events)) >= 3)
    assert await page.evaluate("window.isKept") is True
    assert sorted(views(events)) == [f"{site.url}/one", f"{site.url}/one", f"{site.url}/two"]
    assert len({event.event_id for event in events}) == len(events)


async def test_a_click_on_a_marked_element_carries_its_name_and_properties(
    page: Page, site: Site, arrived: Arrived
) -> None:
    site.body = "<button data-em-event=signup data-em-prop-plan=pro data-em-prop-list-price=20><b>Sign up</b></button>"
    await page.goto(site.url)
    await page.get_by_text("Sign up").click()
    await page.mouse.click(1, 400)
    _, click = await arrived.count(2)
    assert (click.event_type, click.event_name, click.page_url) == ("click", "signup", f"{site.url}/")
    assert json.loads(click.properties) == {"plan": "pro", "list_price": "20"}


async def test_links_to_other_hosts_and_files_are_counted_before_the_page_goes(
    page: Page, site: Site, arrived: Arrived
) -> None:
    other = site.url.replace("localhost", "127.0.0.1")
    site.body = f'<a id=out href="{other}/there">out</a> <a id=file href="/price%20list.PDF" download>file</a>'
    site.body += '<a id=here href="#here">here</a>'
    await page.goto(site.url)
    await page.locator("#here").click()
    await page.locator("#file").click()
    await page.locator("#out").click()
    await page.wait_for_url(f"{other}/there")
    events = await arrived.events(lambda events: len(views(events)) >= 2)
    (download,) = of_type(events, "file_download")
    (out,) = of_type(events, "outbound_click")
    assert json.loads(download.properties) == {"url": f"{site.url}/price%20list.PDF"}
    assert json.loads(out.properties) == {"url": f"{other}/there"}


async def test_engaged_time_is_the_time_in_view_and_in_parts_adds_up(page: Page, site: Site, arrived: Arrived) -> None:
    now = datetime.now(UTC)
    await page.clock.install(time=now)
    await page.clock.pause_at(now + timedelta(seconds=1))
    await page.goto(site.url)
    await page.clock.run_for(5_000)
    await page.evaluate(HIDE, True)
    await page.clock.run_for(60_000)
    await page.evaluate(HIDE, False)
    await page.clock.run_for(300)
    await page.evaluate(HIDE, True)
    await page.evaluate(HIDE, False)
    await page.clock.run_for(3_000)
    await page.evaluate("history.pushState({}, '', '/next')")
    await leave(page)
    events = await arrived.events(lambda events: len(views(events)) >= 2)
    left = of_type(events, "page_leave")
    assert sorted(event.duration_ms for event in left) == [3_300, 5_000]
    assert {(event.page_url, event.properties) for event in left} == {(f"{site.url}/", '{"interactive":false}')}
