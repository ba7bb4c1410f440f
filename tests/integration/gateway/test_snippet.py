"""The browser snippet in a real browser, on a site of another host than the gateway's; seen is what the broker got."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from nats.js import JetStreamContext
from playwright.async_api import Browser, BrowserContext, Page

from eventmill.control.apps import IssuedKeys
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from tests.gateway_calls import StartGateway, until_answers
from tests.snippet_site import RECORD, Arrived, Site, chromium, leave, sent, serving

pytestmark = pytest.mark.integration

HIDE = """hidden => {
  Object.defineProperty(document, 'visibilityState', {value: hidden ? 'hidden' : 'visible', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
async def site(gateway: httpx.AsyncClient, keys: IssuedKeys) -> AsyncIterator[Site]:
    async with serving(Site(str(gateway.base_url).rstrip("/"), keys.write_key)) as site:
        yield site


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context()
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page of a fresh profile; an error of a script, or a violated policy, fails the test."""
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: "Content Security" in message.text and troubles.append(message.text))
    yield page
    assert troubles == []


@pytest.fixture
def arrived(jetstream: JetStreamContext) -> Arrived:
    return Arrived(jetstream)


def views(events: list) -> list[str]:
    return [event.page_url for event in events if event.event_type == "page_view"]


def of_type(events: list, event_type: str) -> list:
    return [event for event in events if event.event_type == event_type]


async def test_a_page_view_is_a_web_event_of_a_visitor_that_the_gateway_names(
    page: Page, site: Site, arrived: Arrived
) -> None:
    await page.goto(f"{site.url}/products?utm_source=mail#top", referer="https://search.example/")
    (view,) = await arrived.count(1)
    assert (view.event_type, view.page_url, view.page_title) == ("page_view", f"{site.url}/products", "A page")
    assert (view.source, view.utm_source, view.referrer) == ("web", "mail", "https://search.example/")
    assert (view.anonymous_id[:6], view.session_id, view.user_id) == ("daily-", None, None)
    assert view.timestamp <= view.sent_at


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


async def test_what_waits_goes_with_a_beacon_when_the_page_goes(page: Page, site: Site, arrived: Arrived) -> None:
    await page.add_init_script(RECORD)
    await page.goto(site.url)
    await page.evaluate("for (let n = 0; n < 5; n++) em('step', {n, text: 'x'.repeat(4000)})")
    requests = await sent(page, site)
    events = await arrived.events(lambda events: bool(of_type(events, "page_leave")))
    assert sorted(json.loads(step.properties)["n"] for step in of_type(events, "step")) == list(range(5))
    assert len(views(events)) == 1
    assert {name for name, _ in requests} == {"sendBeacon"}
    assert max(len(body) for _, body in requests) < 16_000


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


async def test_a_refusal_for_now_is_retried_with_the_same_ids(
    page: Page,
    keys: IssuedKeys,
    settings: Settings,
    start_gateway: StartGateway,
    own_nats: tuple[NatsServer, Server],
) -> None:
    broker, server = own_nats
    address = {"nats_url": f"nats://127.0.0.1:{broker.port}", "nats_monitor_url": None}
    gateway = await start_gateway(settings.model_copy(update=address))
    await until_answers(gateway, "/health/ready")
    statuses: list[tuple[int, str]] = []
    page.on(
        "response",
        lambda answer: (
            answer.request.method == "POST"
            and statuses.append((answer.status, json.loads(answer.request.post_data or "")[0]["event_id"]))
        ),
    )
    async with serving(Site(str(gateway.base_url).rstrip("/"), keys.write_key)) as site:
        server.stop()
        async with page.expect_response(lambda answer: answer.status == 503):
            await page.goto(site.url)
        server.start()
        async with page.expect_response(lambda answer: answer.status == 200 and answer.request.method == "POST") as ok:
            pass
    answer = await (await ok.value).json()
    assert [event["status"] for event in answer["events"]] == ["accepted"]
    assert {status for status, _ in statuses} == {200, 503}
    assert len({event_id for _, event_id in statuses}) == 1


async def test_it_runs_under_a_strict_policy_and_no_misuse_reaches_the_page(
    page: Page, site: Site, arrived: Arrived, gateway: httpx.AsyncClient
) -> None:
    site.policy = f"default-src 'none'; script-src {gateway.base_url}; connect-src {gateway.base_url}"
    site.attributes = {"data-exclude": "/admin/*, /draft"}
    for path in ("/admin/users", "/draft", "/drafts"):
        await page.goto(f"{site.url}{path}")
    await page.evaluate("""() => {
        const loop = {}; loop.self = loop;
        em('bad', loop); em('bad', {n: 1n}); em(); em.identify({toString: null}); em('good');
    }""")
    events = await arrived.events(lambda events: bool(of_type(events, "good")))
    assert views(events) == [f"{site.url}/drafts"]


async def test_the_script_is_cached_by_its_tag(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/em.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (answer.headers["content-encoding"], answer.headers["cross-origin-resource-policy"]) == (
        "gzip",
        "cross-origin",
    )
    assert int(answer.headers["content-length"]) < 4_096
    again = await gateway.get("/em.js", headers={"If-None-Match": f"W/{answer.headers['etag']}"})
    assert (again.status_code, again.content) == (304, b"")
    plain = await gateway.get("/em.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text
    assert "max-age=" in answer.headers["cache-control"]
