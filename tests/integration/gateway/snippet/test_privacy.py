"""What the snippet keeps on a device, who its visitors are, and when it says nothing."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.async_api import BrowserContext, Page

from eventmill.control.apps import IssuedKeys
from tests.snippet_site import RECORD, Arrived, Site, leave, of_type, sent, views

pytestmark = pytest.mark.integration


async def test_nothing_is_kept_on_the_device_by_default(
    context: BrowserContext, page: Page, site: Site, arrived: Arrived
) -> None:
    site.body = "<button data-em-event=go>Go</button>"
    await page.goto(site.url)
    await page.get_by_role("button").click()
    await arrived.count(2)
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert await page.evaluate("indexedDB.databases()") == []
    await leave(page)
    assert await context.cookies() == []


@pytest.mark.parametrize("signal", ["doNotTrack: {value: '1'}", "globalPrivacyControl: {value: true}"])
async def test_with_do_not_track_nothing_is_sent_when_the_app_asks(
    page: Page, site: Site, arrived: Arrived, gateway: httpx.AsyncClient, keys: IssuedKeys, signal: str
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    await page.add_init_script(f"Object.defineProperties(Navigator.prototype, {{{signal}}})")
    site.attributes = {"data-respect-dnt": ""}
    await page.goto(f"{site.url}/secret")
    await page.evaluate("() => { em('signup'); em.identify('u1'); history.pushState({}, '', '/b'); }")
    await leave(page)
    site.attributes = {"data-respect-dnt": "off"}
    await page.goto(f"{site.url}/open")
    events = await arrived.count(1)
    assert views(events) == [f"{site.url}/open"]
    assert len(sent) == 1


async def test_a_device_that_opted_out_sends_bare_markers_until_it_opts_in(
    page: Page, site: Site, arrived: Arrived
) -> None:
    await page.add_init_script(RECORD)
    await page.goto(f"{site.url}/private?em_optout=1")
    await page.goto(f"{site.url}/private")
    await page.evaluate("() => { em('signup', {plan: 'pro'}); em.identify('u1'); }")
    markers = [event for _, body in await sent(page, site) for event in json.loads(body)]
    events, filtered = await arrived.filtered(2)
    assert (events, filtered) == ([], {"opt_out": 2})
    assert markers == [{"event_type": "page_view", "opt_out": True}] * 2
    await page.goto(f"{site.url}/public?em_optout=0")
    assert views(await arrived.count(1)) == [f"{site.url}/public"]


async def test_opting_out_throws_away_what_waits_and_the_ids(page: Page, site: Site, arrived: Arrived) -> None:
    site.attributes = {"data-storage": "local"}
    await page.goto(site.url)
    assert await page.evaluate("() => { em('signup'); return em.optOut(); }") is True
    assert await page.evaluate("Object.keys(localStorage)") == ["em_optout"]
    await page.evaluate("history.pushState({}, '', '/b')")
    await leave(page)
    events, filtered = await arrived.filtered(1)
    assert (events, filtered) == ([], {"opt_out": 1})


async def test_with_local_storage_a_visitor_keeps_ids_and_is_tied_to_the_user(
    context: BrowserContext, page: Page, site: Site, arrived: Arrived
) -> None:
    site.attributes = {"data-storage": "local"}
    await page.goto(site.url)
    await arrived.count(1)
    second = await context.new_page()
    await second.goto(f"{site.url}/second")
    await second.evaluate("em.identify('u1')")
    events = await arrived.events(lambda events: bool(of_type(events, "identify")))
    assert len({(event.anonymous_id, event.session_id) for event in events}) == 1
    assert (events[0].user_id, of_type(events, "identify")[0].user_id) == (None, "u1")
    assert await context.cookies() == []


async def test_an_early_identify_covers_the_view_that_still_waits(page: Page, site: Site, arrived: Arrived) -> None:
    await page.goto(site.url)
    await page.evaluate("em.identify(7)")
    events = await arrived.count(2)
    assert [(event.event_type, event.user_id) for event in events] == [("page_view", "7"), ("identify", "7")]


async def test_where_storage_is_forbidden_the_gateway_names_the_visitor(
    page: Page, site: Site, arrived: Arrived
) -> None:
    await page.goto(site.url)
    site.attributes = {"data-storage": "local"}
    await page.evaluate(
        "url => { document.body.innerHTML = `<iframe sandbox=allow-scripts src='${url}'></iframe>`; }",
        f"{site.url}/framed",
    )
    events = await arrived.events(lambda events: len(views(events)) >= 2)
    framed = next(event for event in events if event.page_url == f"{site.url}/framed")
    assert (framed.anonymous_id[:6], framed.session_id) == ("daily-", None)


async def test_with_session_storage_each_tab_is_a_visitor_of_its_own(
    context: BrowserContext, page: Page, site: Site, arrived: Arrived
) -> None:
    site.attributes = {"data-storage": "session"}
    await page.goto(f"{site.url}/a")
    await page.goto(f"{site.url}/b")
    await (await context.new_page()).goto(f"{site.url}/c")
    events = await arrived.events(lambda events: len(views(events)) >= 3)
    ids = {event.page_path: (event.anonymous_id, event.session_id) for event in of_type(events, "page_view")}
    assert ids["/a"] == ids["/b"] != ids["/c"]
    assert await page.evaluate("localStorage.length") == 0


async def test_a_session_ends_after_half_an_hour_without_an_event(page: Page, site: Site, arrived: Arrived) -> None:
    site.attributes = {"data-storage": "local", "data-leave": "off"}
    now = datetime.now(UTC)
    await page.clock.install(time=now)
    await page.clock.pause_at(now + timedelta(seconds=1))
    await page.goto(site.url)
    for minutes, milliseconds in ((30, 0), (30, 1)):
        await page.clock.fast_forward(minutes * 60_000 + milliseconds)
        await page.evaluate("em('step')")
    await leave(page)
    events = await arrived.count(3)
    sessions = [event.session_id for event in sorted(events, key=lambda event: event.timestamp)]
    assert sessions[0] == sessions[1] != sessions[2]
    assert len({event.anonymous_id for event in events}) == 1


async def test_who_signs_out_leaves_the_device_to_somebody_else(page: Page, site: Site, arrived: Arrived) -> None:
    site.attributes = {"data-storage": "local", "data-user": "u1"}
    await page.goto(site.url)
    await page.evaluate("() => { em('buy'); em.identify(null); em('look'); }")
    events = await arrived.events(lambda events: bool(of_type(events, "look")))
    (bought,), (looked,) = of_type(events, "buy"), of_type(events, "look")
    assert (bought.user_id, looked.user_id) == ("u1", None)
    assert bought.anonymous_id != looked.anonymous_id
