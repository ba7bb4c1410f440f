"""The pictures of docs/dashboard.md: every page, light and dark, can be taken of an installation that is well.

`make pictures` writes them to docs/images, of a hundred days of a shop; else every page is shown once, of three days.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard_season import APP, BOARD, SAVED, make_season
from tests.dashboard_shop import Shop
from tests.integration.dashboard.conftest import MakeShop, opening, settled

# The hundred days take minutes to compute.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT / "docs" / "images"
PAGES = re.findall(r'\bpage: "(\w+)"', (ROOT / "query_service/dashboard/app/pages.js").read_text(encoding="utf-8"))
WIDE, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}
# Of what is saved the first is opened: a list of names is no picture.
OPENED = {"funnels": ".card", "cohorts": "tbody a", "boards": ".card"}
# Nothing says that a canvas is drawn.
DRAWN_MS = 600


def looks() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Page, file and setup of the browser of every picture."""
    for page in PAGES:
        for scheme in ("light", "dark"):
            yield page, f"dashboard-{page}-{scheme}.png", {"color_scheme": scheme, "viewport": WIDE}
    yield "overview", "dashboard-overview-phone.png", {"color_scheme": "light", "viewport": PHONE}


def address(page: str) -> str:
    """What follows the app in the address: 30 whole days, since a day that still runs looks like a fall."""
    today = datetime.now(UTC).date()
    days = f"range={today - timedelta(days=30)},{today}"
    dated = {"overview": f"overview?{days}", "explore": f"explore?{days}&d=country", "goals": f"goals?{days}"}
    return dated.get(page, page)


def shown(page: Page, name: str) -> None:
    """Wait until the page is all there."""
    settled(page)
    if name in OPENED:
        page.locator(OPENED[name]).first.click()
        settled(page)
    page.wait_for_timeout(DRAWN_MS)
    settled(page)


@pytest.fixture(scope="module")
def is_wanted(request: pytest.FixtureRequest) -> bool:
    """Whether the pictures are to be written."""
    return bool(request.config.getoption("--pictures", default=False))


@pytest.fixture(scope="module")
def pictured(request: pytest.FixtureRequest, make: Callable[[MakeShop], Shop], *, is_wanted: bool) -> Iterator[Shop]:
    """The shop to be shown, with a funnel, a cohort and a board."""
    if is_wanted:
        yield make(make_season)
        return
    shop: Shop = request.getfixturevalue("shop")
    made = [
        f"{kind.name}s/{shop.post(f'{kind.name}s', {'name': name} | definition)['data'][0]['id']}"
        for kind, name, definition in SAVED
    ]
    board = shop.post("dashboards", {"name": "Weekly review", "widgets": BOARD})["data"][0]
    yield shop
    for path in (*made, f"dashboards/{board['id']}"):
        shop.delete(path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All pictures where they are wanted; else the light ones: axe looks at pages in dark colours."""
    if "look" in metafunc.fixturenames:
        is_wanted = bool(metafunc.config.getoption("--pictures", default=False))
        chosen = [one for one in looks() if is_wanted or one[2]["color_scheme"] == "light"]
        metafunc.parametrize(("name", "file", "look"), chosen, ids=[file for _, file, _ in chosen])


def test_a_page_can_be_taken(
    browser: Browser, pictured: Shop, name: str, file: str, look: dict[str, Any], *, is_wanted: bool
) -> None:
    with opening(browser, pictured) as open_page:
        page = open_page(f"#/{APP}/{address(name)}", key=f"{APP}_admin", **look)
        shown(page, name)
        content = page.screenshot(path=IMAGES / file if is_wanted else None)
    assert content.startswith(b"\x89PNG")


def test_the_documentation_shows_every_picture() -> None:
    text = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
    assert set(re.findall(r"images/(dashboard-[\w-]+\.png)", text)) == {file for _, file, _ in looks()}
    assert {file.name for file in IMAGES.glob("dashboard-*.png")} == {file for _, file, _ in looks()}
