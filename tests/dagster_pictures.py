"""Takes the pictures of the Dagster UI in docs/images: `python tests/dagster_pictures.py [ADDRESS]`.

ADDRESS is the UI of a running `eventmill up`, http://127.0.0.1:3000 unless given. Its apps should have ten days of
events that are computed, and its marts be built. The script backfills a week of days through the UI, as somebody would.
"""

import importlib.util
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
# What the graph and timelines still move after their words are there.
DRAWN_MS = 2_000
TODAY = datetime.now(UTC).date()
FIRST, LAST = TODAY - timedelta(days=8), TODAY - timedelta(days=2)
# A backfill from the UI is a run of the job of all assets.
LAST_RUN = '{runsOrError(filter: {pipelineName: "__ASSET_JOB"}, limit: 1) {... on Runs {results {runId}}}}'
DAILY = "/assets/rollups/daily_metric"


def graph(page: Page) -> None:
    """What a mart rests on, back to the raw events."""
    page.goto("/assets/marts/acquisition?view=lineage&lineageScope=upstream&lineageDepth=5")
    page.get_by_text("events", exact=True).first.wait_for()


def checks(page: Page) -> None:
    """What is checked of a mart, and how it went."""
    page.goto("/assets/marts/daily_stats?view=checks")
    page.get_by_text("unique_combina").first.click()
    page.get_by_text("Passed").first.wait_for()


def freshness(page: Page) -> None:
    """How old an asset may be, and how old it is."""
    page.goto("/assets/rollups/hourly_metric?view=overview")
    page.get_by_text("Freshness policy").first.wait_for()


def dialog(page: Page) -> None:
    """A week of days, about to be computed again."""
    page.goto(f"{DAILY}?view=partitions")
    page.get_by_role("button", name=re.compile("Materialize")).first.click()
    box = page.get_by_role("dialog").get_by_role("textbox").first
    box.fill(f"[{FIRST}...{LAST}]")
    box.press("Enter")
    expect(page.get_by_text("7 partitions").first).to_be_visible()


def partitions(page: Page) -> None:
    """The days that are being computed; the dialog is still open."""
    page.get_by_role("button", name="Launch backfill").click()
    page.goto(f"{DAILY}?view=partitions")
    expect(page.get_by_text(re.compile(r"Materializing \([1-9]"))).to_be_visible(timeout=60_000)


def run(page: Page) -> None:
    """The run that did it, once it is over."""
    answer = page.request.post("/graphql", data={"query": LAST_RUN}).json()
    page.goto(f"/runs/{answer['data']['runsOrError']['results'][0]['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=180_000)


# In this order, on one page.
PICTURES: dict[str, Callable[[Page], None]] = {
    "dagster-graph.png": graph,
    "dagster-checks.png": checks,
    "dagster-freshness.png": freshness,
    "backfill-dialog.png": dialog,
    "backfill-partitions.png": partitions,
    "backfill-run.png": run,
}


def main() -> None:
    """Take every picture, or those that are named after the address."""
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
    names = sys.argv[2:] or list(PICTURES)
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser().find(), args=["--no-sandbox"])
        page = browser.new_context(viewport=SIZE, base_url=address, timezone_id="UTC").new_page()
        page.set_default_timeout(60_000)
        for name in names:
            PICTURES[name](page)
            page.wait_for_timeout(DRAWN_MS)
            page.screenshot(path=IMAGES / name)
            click.echo(f"docs/images/{name}: {(IMAGES / name).stat().st_size} bytes")
        browser.close()


def _browser() -> Any:
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
