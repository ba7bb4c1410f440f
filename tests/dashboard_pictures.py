"""Takes the pictures of docs/dashboard.md: `python tests/dashboard_pictures.py URL KEY [PAGE …]`.

URL is that of a query service whose app has events, KEY a key of that app. Every page is taken in light and dark, the
overview on a phone too.
"""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser import find  # noqa: E402 - the script is started by its path

IMAGES = ROOT / "docs" / "images"
PAGES_FILE = ROOT / "query_service" / "dashboard" / "app" / "pages.js"
WIDE = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
# Of what is saved the first is opened: a list of names is no picture.
OPENED = {"funnels": ".card", "cohorts": "tbody a", "boards": ".card"}
# Until every number is there, and then for charts to be drawn.
PATIENCE_MS = 60_000
SETTLED_MS = 1_500


def pages() -> list[str]:
    """Names of all pages, as they stand in addresses."""
    return re.findall(r'\bpage: "(\w+)"', PAGES_FILE.read_text(encoding="utf-8"))


def address(page: str) -> str:
    """What follows the app in the address: 30 whole days, since a day that still runs looks like a fall."""
    today = datetime.now(UTC).date()
    days = f"range={today - timedelta(days=30)},{today}"
    return {"overview": f"overview?{days}", "explore": f"explore?{days}&d=country"}.get(page, page)


def looks(page: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of each picture of a page, and how the browser is set up for it."""
    for scheme in ("light", "dark"):
        yield f"dashboard-{page}-{scheme}.png", {"color_scheme": scheme, "viewport": WIDE}
    if page == "overview":
        yield "dashboard-overview-phone.png", {"color_scheme": "light", "viewport": PHONE}


def main() -> None:
    """Take every picture, or those of the pages that are named."""
    url, key, *named = sys.argv[1:]
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        for page in named or pages():
            for name, look in looks(page):
                _take(browser, url.rstrip("/"), key, page, IMAGES / name, look)
        browser.close()


def _take(browser: Browser, url: str, key: str, page: str, file: Path, look: dict[str, Any]) -> None:
    context = browser.new_context(locale="en-GB", **look)
    shown = context.new_page()
    shown.add_init_script(f"sessionStorage.setItem('eventmill-key', '{key}')")
    shown.goto(url)
    shown.locator("h1").wait_for()
    # The app is whichever the page chose; only what follows it is ours.
    shown.evaluate(f"location.hash = location.hash.replace(/\\/\\w+(\\?.*)?$/, '/{address(page)}')")
    if page in OPENED:
        shown.locator(OPENED[page]).first.click()
    shown.wait_for_timeout(SETTLED_MS)
    expect(shown.locator(".bone, [aria-busy=true]")).to_have_count(0, timeout=PATIENCE_MS)
    shown.wait_for_timeout(SETTLED_MS)
    shown.screenshot(path=file)
    click.echo(f"{file.relative_to(ROOT)}: {file.stat().st_size} bytes")
    context.close()


if __name__ == "__main__":
    main()
