"""What tests of the dashboard look at: three days of a shop in lake and rollups, and a service that restarts."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import lake as lake_tables
from eventmill import stream, warehouse
from eventmill.control import apps, definitions
from eventmill.control.credentials import issue_key
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, Row, event
from tests.pipeline_in_process import Pipeline
from tests.streams import make_stream

LONG_NAME = "an_event_whose_name_has_forty_characters"
HEBREW_PAGE = "https://shop.example/מבצע-סוף-עונה"
PAGES = ("", "products/espresso-machine", "cart", "checkout", "a-page-with-a-rather-long-name-that-no-column-can-hold")
COUNTRIES = ("DE", "DE", "DE", "IN", "FR", None)
GOAL = {"filter": {"event_type": "purchase"}}
# The pipeline looks at what is open at once, at sessions after five minutes, at closed hours within the hour.
LOOKS = (timedelta(), timedelta(minutes=6), timedelta(minutes=62))


@dataclass
class Shop:
    """A running service, keys by name, and the way to send it events."""

    settings: Settings
    keys: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the dashboard."""
        return f"http://127.0.0.1:{self.settings.http_port}"

    def start(self) -> None:
        """Return once the service is ready."""
        names = ("home", "database_url", "nats_url", "http_port")
        variables = {f"EVENTMILL_{name.upper()}": str(getattr(self.settings, name)) for name in names}
        command = [sys.executable, "-m", "query_service"]
        self._process = subprocess.Popen(command, env={**os.environ, **variables, "EVENTMILL_QUERY_LAKE_WORKERS": "1"})
        for _ in range(600):
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
        raise AssertionError("the query service did not become ready")

    def stop(self) -> None:
        """End it as a supervisor does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(30) == 0
            self._process = None

    def ask(self, **question: Any) -> dict[str, Any]:
        """The API's answer to a question of version 2 about the shop."""
        headers = {"Authorization": f"Bearer {self.keys['shop']}"}
        answer = httpx.post(
            f"{self.url}/api/v2/query", json={"app_id": "shop", **question}, headers=headers, timeout=60
        )
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def get(self, path: str, key: str = "shop") -> list[dict[str, Any]]:
        """Rows of an endpoint below /api about the shop."""
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        answer = httpx.get(f"{self.url}/api/{path}", headers=headers, timeout=60)
        rows: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return rows

    def post(self, path: str, body: dict[str, Any], key: str = "shop_admin") -> dict[str, Any]:
        """The answer of an endpoint below /api to a body about the shop."""
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        answer = httpx.post(f"{self.url}/api/{path}", json=body, headers=headers, timeout=60)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def delete(self, path: str) -> None:
        """Take something of the shop's away that is below /api."""
        headers = {"Authorization": f"Bearer {self.keys['shop_admin']}"}
        httpx.delete(f"{self.url}/api/{path}", headers=headers, timeout=60).raise_for_status()

    def send(self, app_id: str, **fields: Any) -> None:
        """One event, as a backend publishes it."""
        given = {"event_id": f"sent-{time.time_ns()}", "event_type": "page_view", "anonymous_id": "sender", **fields}
        # In a thread of its own: Playwright has an event loop in this one.
        with ThreadPoolExecutor(1) as executor:
            executor.submit(asyncio.run, self._publish(app_id, json.dumps(given).encode())).result()

    async def _publish(self, app_id: str, payload: bytes) -> None:
        client = await stream.connect(self.settings, "test")
        await client.jetstream().publish(f"events.{app_id}", payload)
        await client.close()


def make_shop(settings: Settings, now: datetime) -> Shop:
    """Apps with their keys, three days of events up to `now`, and every number computed from them."""
    made = Shop(settings)
    make_stream(settings)
    lake_tables.create_tables(settings)
    with warehouse.connect(settings, autocommit=True) as connection:
        for app_id, name, zone in (("shop", "Shop", "Asia/Kathmandu"), ("quiet", "Quiet", "UTC")):
            _, keys = apps.create_app(connection, name, app_id=app_id, time_zone=zone)
            made.keys[app_id] = keys.read_key
            made.keys[f"{app_id}_admin"] = keys.admin_key
        made.keys["both"] = issue_key(connection, "default", "read", ["shop", "quiet"])
        definitions.create(connection, definitions.GOAL, "shop", "Purchase", GOAL)
        clock = Clock()
        clock.now = now
        HandMadeLake(lake_directory(settings), clock=clock).append(_events(random.Random(11), now))
        refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
        pipeline = Pipeline(refresher, connection, clock)
        for later in LOOKS:
            clock.now = now + later
            pipeline.tick()
        connection.execute("update rollups.lake_progress set complete_through = %s", [now])
    return made


def _events(rng: random.Random, now: datetime) -> Iterator[Row]:
    """Visits of one to four views at four hours of each day, with a purchase now and then, and odd names."""
    for number in range(90):
        start = now - timedelta(days=number % 3, hours=2 + 6 * (number % 2), minutes=rng.randrange(50))
        visitor = {"anonymous_id": f"a{number % 40}", "country": rng.choice(COUNTRIES), "session_id": f"s{number}"}
        visitor |= {"device_type": rng.choice(["mobile", "desktop"]), "browser": "Firefox", "os": "Linux"}
        for step in range(1 + number % 4):
            page = HEBREW_PAGE if number % 15 == 7 else f"https://shop.example/{PAGES[(number + step) % len(PAGES)]}"
            yield event(f"v{number}-{step}", start + timedelta(seconds=40 * step), page_url=page, **visitor)
        at = start + timedelta(minutes=3)
        if number % 6 == 0:
            money = {"properties": json.dumps({"revenue": 20 + number, "currency": "EUR"})}
            yield event(f"p{number}", at, event_type="purchase", **money, **visitor)
        if number % 20 == 0:
            between = at - timedelta(minutes=1)
            yield event(f"l{number}", between, event_type="custom", event_name=LONG_NAME, **visitor)
    yield from _from_abroad(now - timedelta(days=1))


def _from_abroad(at: datetime) -> Iterator[Row]:
    """Somebody who pays in another currency."""
    visitor = {"anonymous_id": "abroad", "country": "US", "session_id": "abroad", "device_type": "desktop"}
    yield event("abroad-1", at, page_url="https://shop.example/cart", **visitor)
    money = json.dumps({"revenue": 15, "currency": "USD"})
    yield event("abroad-2", at + timedelta(minutes=1), event_type="purchase", properties=money, **visitor)


def present() -> datetime:
    """Now, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
