"""Questions that would take for ever are cut at their limits, and events are taken in meanwhile."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from pyarrow import flight

from eventmill.control import flight_access
from eventmill.lake import create_tables, lake_directory
from eventmill.settings import Settings
from query_service.flight.limits import Limits
from tests.flight_service import FlightService, serving
from tests.gateway_calls import StartGateway, bearer, post, until_answers
from tests.hostile_sql import ENDLESS
from tests.lake_of import HandMadeLake, event
from tests.shop_service import fill, make_apps
from tests.streams import MAX_BYTES
from tests.workers import free_ports

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
# Twenty steps that every other event of one tireless visitor could be.
TWENTY = [{"event_type": "ab"[number % 2], "name": f"step {number}"} for number in range(20)]
RANGE = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-03T00:00:00Z"}
EVENTS = 20_000


@dataclass(frozen=True)
class Queries:
    """A query service and a Flight server whose limits a test can reach."""

    settings: Settings
    flight: FlightService
    keys: dict[str, str]

    async def funnel(self, steps: list[dict[str, Any]]) -> httpx.Response:
        """A funnel of the lake."""
        async with httpx.AsyncClient(headers=bearer(self.keys["read"]), timeout=60) as client:
            address = f"http://127.0.0.1:{self.settings.http_port}/api/funnels/query"
            return await client.post(address, json={"steps": steps, **RANGE})

    async def sql(self, text: str) -> str:
        """How Flight refuses a statement."""
        with pytest.raises(flight.FlightTimedOutError) as caught:
            await asyncio.to_thread(self.flight.ask, text)
        return str(caught.value)


@pytest.fixture
def queries(rollups: Any, start_query_service: Callable[..., Settings]) -> Iterator[Queries]:
    keys = make_apps(rollups.address)
    fill(rollups)
    settings = start_query_service(rollups.address, query_lake_seconds="0.2", query_lake_workers="1")
    create_tables(settings)
    moments = [(number, NOON + timedelta(milliseconds=number)) for number in range(EVENTS)]
    HandMadeLake(lake_directory(settings)).append(
        event(f"e{number}", at, anonymous_id="tireless", event_type="ab"[number % 2]) for number, at in moments
    )
    with psycopg.connect(rollups.address) as connection:
        flight_access.prepare(connection)
    with serving(settings, keys, Limits(seconds=0.5)) as running:
        yield Queries(settings, running, keys)


async def test_a_bomb_is_cut_at_its_limit_and_every_event_is_taken_in_meanwhile(
    queries: Queries, start_gateway: StartGateway
) -> None:
    (port,) = free_ports(1)
    gateway = await start_gateway(
        queries.settings.model_copy(update={"ingest_port": port, "stream_max_bytes": MAX_BYTES})
    )
    await until_answers(gateway, "/health/ready")
    funnels = [asyncio.create_task(queries.funnel(TWENTY)) for _ in range(2)]
    statement = asyncio.create_task(queries.sql(ENDLESS[0]))
    sent = 0
    while sent == 0 or not all(bomb.done() for bomb in (*funnels, statement)):
        answer = await post(
            gateway, queries.keys["write"], {"event_id": f"sent-{sent}", "event_type": "a", "user_id": "u"}
        )
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        sent += 1
    for response in [await funnel for funnel in funnels]:
        problem = response.json()
        assert (response.status_code, problem["detail"]) == (503, "The answer took more than 0.2 s.")
        assert problem["rule"] == "Ask for a shorter range, or for fewer dimensions."
    assert "cut off: it may take 0.5 s" in await statement
