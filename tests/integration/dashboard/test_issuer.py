"""Signing in with an account: a browser goes to the issuer and comes back to the page that it wanted."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from eventmill.settings import Settings
from tests.oidc_issuer import AUDIENCE, CLIENT, CLIENT_SECRET, Issuer, running_issuer
from tests.shop_service import fill, make_apps

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def address(module_rollups: Any, start_query_service: Callable[..., Settings], issuer: Issuer) -> str:
    """Of a service that the issuer's accounts sign in to."""
    make_apps(module_rollups.address)
    fill(module_rollups)
    own = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_client_id": CLIENT}
    settings = start_query_service(module_rollups.address, **own, oidc_client_secret=CLIENT_SECRET)
    return f"http://127.0.0.1:{settings.http_port}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB")
    yield context.new_page()
    context.close()


def test_an_account_comes_back_to_the_page_that_the_link_was_of_and_stays_signed_in(page: Page, address: str) -> None:
    wanted = f"{address}/#/shop/explore?range=2026-03-07,2026-03-10&d=country"
    page.goto(wanted)
    page.get_by_role("link", name="Continue with your account").click()
    expect(page.get_by_role("heading", name="Explore")).to_be_visible()
    expect(page).to_have_url(wanted)
    expect(page.get_by_role("button", name="Sign out")).to_have_attribute("title", "oidc:ada")
    page.reload()
    expect(page.get_by_role("heading", name="Explore")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Continue with your account")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Continue with your account")).to_be_visible()


def test_an_account_that_may_not_see_people_gets_numbers_that_open_nothing(page: Page, address: str) -> None:
    page.goto(f"{address}/#/shop/cohorts/new")
    page.get_by_role("link", name="Continue with your account").click()
    expect(page.locator("[data-size]")).to_be_visible()
    expect(page.get_by_role("button", name="People of the cohort")).to_have_count(0)


def test_an_account_saves_with_its_session(page: Page, address: str, issuer: Issuer) -> None:
    issuer.claims["scope"] = "admin"
    page.goto(f"{address}/#/shop/boards")
    page.get_by_role("link", name="Continue with your account").click()
    page.get_by_role("button", name="New board").click()
    page.get_by_label("Name").fill("Ada's")
    page.get_by_role("button", name="Make it").click()
    expect(page).to_have_url(re.compile(r"boards/[0-9a-f-]{36}\?edit=1$"))
    issuer.claims.pop("scope")
