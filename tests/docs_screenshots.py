"""Takes the pictures of the metrics' documentation in docs/images: `python tests/docs_screenshots.py PAGE`.

PAGE is the file that `eventmill docs build` writes, `.eventmill/dbt/docs/index.html`.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
# What the page's address says after #!/, and what must be there before the picture is taken.
PICTURES = {
    "metric.png": ("metric/metric.eventmill.bounce_rate", "text=Percent, two decimals: bounces"),
    "lineage.png": ("model/model.eventmill.active_users?g_v=1&g_i=%2Bactive_users%2B", "text=Lineage Graph"),
}
# The lineage is drawn on a canvas, which says nothing of being ready.
DRAWN_MS = 5000


def main() -> None:
    """Take every picture."""
    address = Path(sys.argv[1]).resolve().as_uri()
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser().find(), args=["--no-sandbox"])
        for name, (place, awaited) in PICTURES.items():
            _take(browser.new_page(viewport=SIZE), f"{address}#!/{place}", awaited, IMAGES / name)
        browser.close()


def _take(page: Page, address: str, awaited: str, file: Path) -> None:
    page.goto(address)
    page.locator(awaited).first.wait_for(state="visible", timeout=60_000)
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=file)
    click.echo(f"{file.relative_to(ROOT)}: {file.stat().st_size} bytes")


def _browser() -> Any:
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
