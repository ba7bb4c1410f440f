"""How the snippet's events get to the broker, whatever comes between, and how it gets to the page."""

import json

import httpx
import pytest
from playwright.async_api import Page

from eventmill.control.apps import IssuedKeys
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from tests.gateway_calls import StartGateway, until_answers
from tests.snippet_site import HIDE, RECORD, Arrived, Site, of_type, sent, serving, views

pytestmark = pytest.mark.integration


async def test_what_waits_goes_with_a_beacon_when_the_page_goes(page: Page, site: Site, arrived: Arrived) -> None:
    await page.add_init_script(RECORD)
    await page.goto(site.url)
    await page.evaluate("for (let n = 0; n < 5; n++) em('step', {n, text: 'x'.repeat(4000)})")
    requests = await sent(page, site)
    # Each beacon travels by itself: the last one may be the first to arrive.
    events = await arrived.events(
        lambda events: bool(of_type(events, "page_leave")) and len(of_type(events, "step")) >= 5
    )
    assert sorted(json.loads(step.properties)["n"] for step in of_type(events, "step")) == list(range(5))
    assert len(views(events)) == 1
    assert {name for name, _ in requests} == {"sendBeacon"}
    assert max(len(body) for _, body in requests) < 16_000


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
        site.attributes = {"data-leave": "off"}
        server.stop()
        async with page.expect_response(lambda answer: answer.status == 503):
            await page.goto(site.url)
        # A hidden page sends at once, and hears that this was refused too.
        async with page.expect_response(lambda answer: answer.status == 503):
            await page.evaluate(HIDE, True)
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


async def test_loaded_twice_it_counts_once_and_early_calls_are_made_up_for(
    page: Page, site: Site, arrived: Arrived, gateway: httpx.AsyncClient, keys: IssuedKeys
) -> None:
    early = "window.em = function () { (em.q = em.q || []).push([].slice.call(arguments)) }; em('early', {n: 1});"
    again = f'<script defer src="{gateway.base_url}/em.js" data-key="{keys.write_key}"></script>'
    site.body = f"<script>{early}</script>{again}"
    await page.goto(site.url)
    await page.evaluate("em('end')")
    events = await arrived.events(lambda events: bool(of_type(events, "end")))
    assert [event.event_type for event in events] == ["early", "page_view", "end"]
