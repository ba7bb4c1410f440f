"""Signing in and out, choosing an app, and the first minute of one that has no events."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import OpenPage

pytestmark = pytest.mark.integration


def test_the_sign_in_link_signs_in_and_keeps_the_key_out_of_the_address(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(f"#key={shop.keys['shop']}", key=None)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page).to_have_url(f"{shop.url}/#/shop/overview")


def test_a_wrong_key_is_refused_and_a_right_one_signs_in(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(key=None, may_lose=True)
    page.get_by_label("Read key").fill("em_r_nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The key is unknown, expired or revoked.")
    page.get_by_label("Read key").fill(shop.keys["shop"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Read key")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Read key")).to_be_visible()
    expect(page.get_by_role("link", name="Continue with your account")).to_have_count(0)


def test_a_key_of_several_apps_chooses_among_them(open_page: OpenPage) -> None:
    page = open_page("#/shop/overview?range=7d&f=is:country:DE", key="both")
    expect(page.get_by_label("App", exact=True)).to_have_value("shop")
    page.get_by_label("App", exact=True).select_option("Quiet")
    expect(page.get_by_role("heading", name=re.compile("Quiet"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/quiet/overview\?range=7d$"))
    page.go_back()
    expect(page.get_by_label("App", exact=True)).to_have_value("shop")


def test_an_app_without_events_is_told_how_to_send_one_and_turns_green_on_it(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(key="quiet")
    expect(page.get_by_role("heading", name="Send the first event to Quiet")).to_be_visible()
    page.get_by_label(re.compile("^Write key")).fill("em_w_mine")
    for kind, words in (("curl", "Bearer em_w_mine"), ("Python", '"em_w_mine") as tracker'), ("Web page", "em.js")):
        page.get_by_role("button", name=kind).click()
        expect(page.locator("pre")).to_contain_text(words)
    shop.send("quiet", page_url="/hello")
    expect(page.get_by_role("status")).to_contain_text("The first event is here: page_view", timeout=20_000)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_the_theme_is_kept(open_page: OpenPage) -> None:
    page = open_page(color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(background) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(background) != light


def test_the_links_lead_to_dagster_and_the_documentation(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_role("link", name="Dagster")).to_have_attribute("href", "http://127.0.0.1:3000/")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("heading", name="/api/metrics/daily")).to_be_visible()


def test_files_under_the_version_are_kept_for_ever_and_the_page_is_asked_for_again(shop: Shop) -> None:
    page = httpx.get(shop.url, headers={"Accept-Encoding": "gzip"})
    assert page.headers["cache-control"] == "no-cache"
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    assert httpx.get(shop.url, headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    [script] = re.findall(r'src="(/assets/[0-9a-f]+/app/main\.js)"', page.text)
    assert "immutable" in httpx.get(shop.url + script).headers["cache-control"]
    assert httpx.get(f"{shop.url}/assets/app/main.js").headers["cache-control"] == "no-cache"
    assert httpx.get(f"{shop.url}/assets/index.html").status_code == 404
