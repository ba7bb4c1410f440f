"""Questions to the lake: one client that asks them in turns, and several that ask all of them at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import count
from statistics import median, quantiles

from query_service.lake.service import Lake
from query_service.query import spec as specs
from query_service.query.lake_funnels import parse_funnel_query
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.site import QuerySite, expect

Ask = Callable[[], Awaitable[object]]
# A question, and what its median and its 99th percentile must be, in milliseconds.
TOTALS, TOP = "30-day totals, from days of actors", "30-day top 10 of a dimension, from days of actors"
FILTER, FUNNEL = "custom range, ad-hoc filter", "ad-hoc funnel"
MUST = {TOTALS: (200, 600), TOP: (200, 600), FILTER: (500, 1_000), FUNNEL: (2_000, 3_000)}
MUST_AT_ONCE = (4_000, 8_000)
_NUMBERS = count()
_STEPS = ("page_view", "add_to_cart", "purchase")


def measure(site: QuerySite, scale: Scale) -> list[Outcome]:
    """Milliseconds of each question alone, then of all of them by several clients at once."""
    return site.asked(lambda lake: _measured(lake, site, scale))


async def _measured(lake: Lake, site: QuerySite, scale: Scale) -> list[Outcome]:
    questions = _questions(lake, site, scale)
    await _check(lake, site)
    for ask in questions.values():  # caches of files and of the system are warm after the first
        await ask()
    alone: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(scale.repeats):
        for name, ask in questions.items():
            alone[name].append(await _milliseconds(ask))
    found = [one for name, values in alone.items() for one in _outcomes(name, values, MUST[name])]
    return [*found, *await _at_once(questions, scale)]


async def _at_once(questions: dict[str, Ask], scale: Scale) -> list[Outcome]:
    async def days() -> None:
        await questions[TOTALS]()
        await questions[TOP]()

    async def client(number: int) -> list[float]:
        order = [days, questions[FILTER], questions[FUNNEL]]
        rotated = order[number % len(order) :] + order[: number % len(order)]
        return [await _milliseconds(ask) for _ in range(scale.rounds) for ask in rotated]

    by_client = await asyncio.gather(*(client(number) for number in range(scale.clients)))
    values = [value for one in by_client for value in one]
    slowest, quickest = max(map(median, by_client)), min(map(median, by_client))
    title = f"all three by {scale.clients} clients at once"
    fair = Figure("median of the client that waits most, vs of the one that waits least", 2, 1.5, is_cost=True)
    sides = [Side("most", "ms", [slowest]), Side("least", "ms", [quickest])]
    return [*_outcomes(title, values, MUST_AT_ONCE), Outcome(fair, [slowest / quickest], sides)]


def _outcomes(name: str, values: Sequence[float], must: tuple[float, float]) -> list[Outcome]:
    cuts = quantiles(values, n=100, method="inclusive")
    side = [Side("answers", "ms", values)]
    return [
        Outcome(Figure(f"{name}, p50", must[0], must[0] / 2, "ms", is_cost=True), [median(values)], side),
        Outcome(Figure(f"{name}, p99", must[1], must[1] / 2, "ms", is_cost=True), [cuts[98]], side),
    ]


async def _milliseconds(ask: Ask) -> float:
    began = time.perf_counter()
    await ask()
    return 1000 * (time.perf_counter() - began)


def _range(site: QuerySite, scale: Scale) -> list[str]:
    """All days but for some hours: no whole day's question, and each time another one, so that no answer is kept."""
    start = site.now - timedelta(days=scale.days) + timedelta(hours=2, minutes=13, seconds=next(_NUMBERS))
    return [start.isoformat(), (site.now - timedelta(hours=3)).isoformat()]


def _questions(lake: Lake, site: QuerySite, scale: Scale) -> dict[str, Ask]:
    tenant, now = site.tenant, site.now
    metrics = ["page_views", "unique_visitors"]
    dimensions = iter([name for _ in range(10_000) for name in ("page_url", "country", "event_name", "browser")])
    chosen = [["is", "country", ["DE"]], ["is", "browser", ["Chrome"]]]
    steps = [{"event_type": name} for name in _STEPS]

    last = {"date_range": "30d", "metrics": metrics}

    async def totals() -> None:
        await lake.queries.run(specs.parse(last, tenant, now))

    async def top() -> None:
        await lake.queries.run(specs.parse({**last, "dimensions": [next(dimensions)], "limit": 10}, tenant, now))

    async def chosen_events() -> None:
        asked = {"metrics": metrics, "date_range": _range(site, scale), "filters": chosen}
        await lake.queries.run(specs.parse(asked, tenant, now))

    async def funnel() -> None:
        start, end = _range(site, scale)
        asked = {"steps": steps, "from": start, "to": end}
        await lake.funnels.funnel(parse_funnel_query(asked, tenant, now))

    return {TOTALS: totals, TOP: top, FILTER: chosen_events, FUNNEL: funnel}


async def _check(lake: Lake, site: QuerySite) -> None:
    """Days of actors and events say the same."""
    asked = {"metrics": ["events", "unique_visitors"], "date_range": "7d"}
    everything = {"filters": [["is_not", "properties.plan", ["none"]]]}
    found = [
        (await lake.queries.run(specs.parse({**asked, **more}, site.tenant, site.now))).rows
        for more in ({}, everything)
    ]
    expect(found[0], found[1], "events and days of actors")
