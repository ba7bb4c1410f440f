"""Two shops whose clocks change, two weeks of their events, and every number that the pipeline computes of them."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import lake as lake_tables
from eventmill import warehouse
from eventmill.control import apps, definitions
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, Row, event
from tests.pipeline_in_process import Pipeline

ZONES = {"york": "America/New_York", "berlin": "Europe/Berlin"}
# Berlin's clocks go back on 25 October, New York's on 1 November; a month ends in between.
START, END = datetime(2026, 10, 24, 6, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
COMPUTED = END + timedelta(days=3)
# Many of the visits lie around an hour that occurs twice, and on the day with too many pages.
BUSY = (
    datetime(2026, 10, 24, 23, tzinfo=UTC),
    datetime(2026, 11, 1, 4, tzinfo=UTC),
    datetime(2026, 10, 28, 9, tzinfo=UTC),
)
DAYS = (
    START,
    datetime(2026, 10, 26, tzinfo=UTC),
    datetime(2026, 10, 31, tzinfo=UTC),
    datetime(2026, 11, 2, 6, tzinfo=UTC),
)
MANY_PAGES = 1_008
GOAL = {"filter": {"event_type": "purchase"}}
COHORT = {"filter": {"event_type": "page_view"}, "return_event": "any"}
STEPS = [{"event_type": "page_view"}, {"event_type": "click"}, {"event_type": "purchase"}]
FUNNEL = {"steps": STEPS, "window": "2d", "from": "2026-10-24T00:00:00Z", "to": "2026-11-04T00:00:00Z"}


def build(settings: Settings, visits: int = 90) -> dict[str, str]:
    """Fill lake and rollups; a read key by app, and `both`."""
    lake_tables.create_tables(settings)
    with warehouse.connect(settings, autocommit=True) as connection:
        keys = {
            app_id: apps.create_app(connection, app_id, app_id=app_id, time_zone=zone)[1].read_key
            for app_id, zone in ZONES.items()
        }
        for app_id in ZONES:
            definitions.create(connection, definitions.GOAL, app_id, "bought", GOAL)
            definitions.create(connection, definitions.COHORT, app_id, "viewers", COHORT)
            definitions.create(connection, definitions.FUNNEL, app_id, "buy", FUNNEL)
            by_os = FUNNEL | {"breakdown": "os"}
            definitions.create(connection, definitions.FUNNEL, app_id, "buy by system", by_os)
        clock = Clock()
        clock.now = COMPUTED
        lake = HandMadeLake(lake_directory(settings), clock=clock)
        lake.append(_events(random.Random(3), visits))
        refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
        Pipeline(refresher, connection, clock).settle(COMPUTED, COMPUTED + timedelta(days=1))
    return keys


def _events(rng: random.Random, visits: int) -> Iterator[Row]:
    for app_id in ZONES:
        for number in range(visits):
            yield from _visit(rng, app_id, number)
    robot = {"app_id": "berlin", "anonymous_id": "collector", "session_id": "all-of-them", "country": "DE"}
    for number in range(MANY_PAGES):
        at = BUSY[2] + timedelta(seconds=3 * number)
        yield event(f"page-{number}", at, page_url=f"/catalog/{number:04}", **robot)


def _visit(rng: random.Random, app_id: str, number: int) -> Iterator[Row]:
    """A visitor's pages, clicks and purchases; some of them bots, some signed in, some events sent twice."""
    at = rng.choice(BUSY) + timedelta(minutes=rng.uniform(0, 180))
    if number % 2:
        at = rng.choice(DAYS) + timedelta(hours=rng.uniform(0, 20))
    person = rng.randrange(14)
    visit: Row = {
        "app_id": app_id,
        "anonymous_id": f"a{person}",
        "user_id": f"u{person}" if person < 5 and rng.random() < 0.5 else None,
        "session_id": f"s{app_id}{number}" if rng.random() < 0.5 else None,
        "source": rng.choice(["web", "web", "mobile"]),
        "is_bot": rng.random() < 0.08,
        "os": rng.choice([None, "iOS", "Windows"]),
        "country": rng.choice([None, "DE", "US", "US"]),
        "channel": rng.choice([None, "email", "direct"]),
    }
    for step in range(rng.randrange(1, 7)):
        if at >= END:
            return
        one = event(f"{app_id}-{number}-{step}", at, **visit | _step(rng, app_id))
        yield one
        if rng.random() < 0.05:
            yield one
        at += rng.choice([timedelta(seconds=20), timedelta(minutes=4), timedelta(minutes=29), timedelta(minutes=50)])


def _step(rng: random.Random, app_id: str) -> Row:
    chance = rng.random()
    if chance < 0.15:
        paid = {"revenue": rng.choice([1, 2.5, "9.99"]), "currency": "USD" if app_id == "york" else "EUR"}
        return {"event_type": "purchase", "properties": json.dumps(paid), "event_name": rng.choice(["buy", "upgrade"])}
    if chance < 0.3:
        return {"event_type": "click", "properties": json.dumps({"interactive": rng.random() < 0.5, "button": "top"})}
    return {"page_url": f"/{rng.choice('abcd')}"}
