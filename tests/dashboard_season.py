"""A shop's last hundred days, for the pictures of the dashboard: visits that grow, orders, saved definitions."""

import asyncio
import heapq
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import psycopg

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import lake as lake_tables
from eventmill import stream, warehouse
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.control import annotations, apps, dashboards, definitions
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from eventmill.synthetic.arrivals import spread
from eventmill.synthetic.flow import MIXED_SOURCES, Plan, Shares, lines
from eventmill.synthetic.journeys import Session, next_step, session_length
from eventmill.synthetic.people import Population, choose
from tests.dashboard_shop import Shop, present
from tests.lake_of import Clock, HandMadeLake, Row, event
from tests.pipeline_in_process import Pipeline
from tests.streams import make_stream

APP, NAME, ZONE = "shop", "Alpine Outfitters", "Europe/Berlin"
DAYS, VISITS, PEOPLE = 100, 7_000, 2_400
CHECKED = ("hourly_metric", "daily_metric", "weekly_metric", "monthly_metric", "sessions", "goal_metric", "revenue")
# The first days have so much of the visits of the last ones.
AT_FIRST = 0.45
PAUSE_SECONDS = 25.0
LIVE_EVENTS = 420
REJECTED = 9
PRODUCT = {
    "event_type": "page_view",
    "filters": [["starts_with", "page_path", ["/products"]]],
    "name": "Looked at a product",
}
CART = {"event_type": "add_to_cart", "name": "Put it into the cart"}
ORDER = {"event_type": "purchase", "name": "Ordered"}
SAVED: list[tuple[definitions.Kind, str, dict[str, Any]]] = [
    (definitions.GOAL, "Order", {"filter": {"event_type": "purchase"}}),
    (definitions.GOAL, "Sign-up", {"filter": {"event_type": "sign_up"}}),
    (definitions.COHORT, "Visitors", {"filter": {"event_type": "page_view"}, "return_event": "any"}),
    (definitions.COHORT, "Customers", {"filter": {"event_type": "purchase"}, "return_event": "any"}),
    (
        definitions.FUNNEL,
        "From product to order",
        {"steps": [PRODUCT, CART, ORDER], "window": "7d", "days": 30, "breakdown": "device_type"},
    ),
    (
        definitions.FUNNEL,
        "From search to cart",
        {"steps": [{"event_type": "search"}, CART], "window": "1d", "days": 30},
    ),
]
RANGE = {"date_range": "30d"}
COMPARED = RANGE | {"compare": "previous_period"}
BOARD: list[dict[str, Any]] = [
    *(
        {"kind": "number", "size": "small", "question": COMPARED | {"metrics": [metric]}}
        for metric in ("unique_visitors", "page_views", "bounce_rate", "avg_session_duration")
    ),
    {
        "kind": "timeseries",
        "size": "full",
        "title": "Visitors by day",
        "question": COMPARED | {"metrics": ["unique_visitors"], "granularity": "day"},
    },
    {"kind": "funnel", "size": "medium", "title": "From product to order", "funnel": "from-product-to-order"},
    {
        "kind": "bar",
        "size": "medium",
        "question": RANGE | {"metrics": ["unique_visitors"], "dimensions": ["channel"], "limit": 6},
    },
    {"kind": "text", "size": "full", "title": "Every Monday", "text": "What changed, and why?"},
]


def make_season(settings: Settings, now: datetime) -> Shop:
    """The shop with its keys, every number computed up to `now`, and a busy hour in the stream."""
    made = Shop(settings)
    make_stream(settings)
    lake_tables.create_tables(settings)
    rows = [*visits(random.Random(7), now), *(_stored(raw, now) for raw in _busy_hour(now))]
    with warehouse.connect(settings, autocommit=True) as connection:
        _, keys = apps.create_app(connection, NAME, app_id=APP, time_zone=ZONE)
        made.keys |= {APP: keys.read_key, f"{APP}_admin": keys.admin_key}
        for kind, name, definition in SAVED:
            definitions.create(connection, kind, APP, name, definition)
        dashboards.create(connection, APP, "Weekly review", BOARD)
        annotations.create(connection, APP, now - timedelta(days=12), None, "Autumn newsletter")
        clock = Clock()
        clock.now = now
        lake = HandMadeLake(lake_directory(settings), clock=clock)
        lake.append(
            rows, [event(f"broken-{number}", now - timedelta(hours=1), app_id=APP) for number in range(REJECTED)]
        )
        refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
        Pipeline(refresher, connection, clock).settle(now, now)
        _say_it_is_well(connection, now)
    # In a thread of its own: Playwright has an event loop in this one.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, _publish(settings)).result()
    return made


def visits(rng: random.Random, now: datetime) -> Iterator[Row]:
    """Events of visits in the order in which they happen, more of them towards the end."""
    people, signed_up = Population(7, PEOPLE), set[int]()
    start = now - timedelta(days=DAYS)
    due: list[tuple[datetime, int, Session]] = []
    for began in spread(rng, start, now, VISITS):
        if rng.random() > AT_FIRST + (1 - AT_FIRST) * ((began - start) / (now - start)):
            continue
        while due and due[0][0] <= began:
            yield from _happened(rng, due, now)
        source = choose(rng, MIXED_SOURCES)
        session = Session(
            people.pick(rng), source, f"{rng.getrandbits(64):016x}", session_length(rng, source), signed_up
        )
        heapq.heappush(due, (began, rng.getrandbits(32), session))
    while due:
        yield from _happened(rng, due, now)


def _happened(rng: random.Random, due: list[tuple[datetime, int, Session]], now: datetime) -> Iterator[Row]:
    """The next event; what follows it in its session becomes due."""
    at, _, session = heapq.heappop(due)
    if at >= now:
        return
    raw = msgspec.json.encode(next_step(rng, session) | {"event_id": f"{rng.getrandbits(96):024x}", "timestamp": at})
    yield _stored(raw, at)
    if session.steps_left > 0:
        pause = timedelta(seconds=PAUSE_SECONDS * rng.lognormvariate(0, 1))
        heapq.heappush(due, (at + pause, rng.getrandbits(32), session))


def _stored(raw: bytes, received_at: datetime) -> Row:
    """An event as the writer stores it."""
    stored = decode_event(raw, DecodeContext(AppRules(APP), EnvelopeContext(APP, received_at)))
    assert isinstance(stored, StoredEvent), stored
    return msgspec.structs.asdict(stored)


def _say_it_is_well(connection: psycopg.Connection[Any], now: datetime) -> None:
    """The lake is complete, and the checks have passed: Dagster, which would say so, does not run here."""
    connection.execute("update rollups.lake_progress set complete_through = %s", [now])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollups.check_result (asset_key, check_name, has_passed, severity, evaluated_at)"
            " values (%s, %s, true, 'ERROR', %s)",
            [(f"rollups/{name}", "sums_agree", now) for name in CHECKED],
        )


def _busy_hour(now: datetime) -> list[bytes]:
    """Events of the hour before `now`, as they are sent."""
    return [line.raw for line in lines(Plan(APP, LIVE_EVENTS, now, seed=3, days=1 / 24, shares=Shares(0, 0, 0)))]


async def _publish(settings: Settings) -> None:
    """What the live page shows; computing the rest has taken minutes, so it is not the hour that the lake has."""
    client = await stream.connect(settings, "test")
    for raw in _busy_hour(present()):
        await client.jetstream().publish(f"events.{APP}", raw)
    await client.close()
