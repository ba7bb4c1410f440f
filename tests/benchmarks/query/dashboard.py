"""The dashboard's overview of 30 days in a real browser: the first paint, the last number, and its weight."""

from datetime import timedelta
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import Service
from tests.browser import find

SPAN = timedelta(days=30)
# Milliseconds since the navigation began: when the first pixels of content came, and from when on nothing was loading
# for a fifth of a second. Bytes over the network, with their headers.
_SEEN = """() => new Promise(done => {
  let since = null;
  const look = () => {
    const now = performance.now();
    if (!document.querySelector('h1') || document.querySelector('.bone, [aria-busy=true]')) since = null;
    else since ??= now;
    if (since === null || now - since < 200) return void requestAnimationFrame(look);
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    done({
      settled: since,
      painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      kilobytes: entries.reduce((sum, entry) => sum + entry.transferSize, 0) / 1000,
      title: document.querySelector('h1').textContent,
    });
  };
  look();
})"""


def measure(service: Service, scale: Scale) -> list[Outcome]:
    """First visits, each of another 30 days: neither the browser nor the service has kept anything of them."""
    path = find()
    if path is None:
        raise VoidRunError("there is no Chromium: `python tests/browser.py` installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        # The days before are there to compare with.
        seen = [_visit(browser, service, back) for back in range(1 + max(3, scale.turns * 2))][1:]
        browser.close()
    figures = {
        "painted": Figure("overview of 30 days, first contentful paint", 1_000, 500, "ms", is_cost=True),
        "settled": Figure("overview of 30 days, all numbers there", 1_500, 750, "ms", is_cost=True),
        "kilobytes": Figure("overview of 30 days, weight of a first visit", 400, 250, "KB", is_cost=True),
    }
    return [
        Outcome(figure, values, [Side("first visits", figure.unit, values)])
        for name, figure in figures.items()
        for values in [[one[name] for one in seen]]
    ]


def _visit(browser: Browser, service: Service, days_back: int) -> dict[str, Any]:
    app_id = service.at.tenant.app_id
    end = service.at.now.date() - timedelta(days=days_back)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.add_init_script(f"sessionStorage.setItem('eventmill-key', '{service.at.keys[app_id]}')")
    page.goto(f"{service.url}/#/{app_id}/overview?range={end - SPAN},{end}")
    seen: dict[str, Any] = page.evaluate(_SEEN)
    context.close()
    if seen["title"].split()[:1] != ["Overview"]:
        raise VoidRunError(f"the page is {seen['title']!r}")
    return seen
