"""The same event sent again counts once: whenever it comes again, by whatever door, and whatever its clock says."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import nats
import pytest

from eventmill.embedded import probes
from tests.e2e.conftest import WINDOW_SECONDS
from tests.installation import Installation
from tests.workers import free_ports

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Event = dict[str, Any]


@pytest.fixture(scope="module")
def second_gateway(mill: Installation) -> Iterator[str]:
    """Address of another gateway on the same broker: it knows nothing of what the first one took in."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest_service.gateway"],
        env=mill.environment | {"EVENTMILL_INGEST_PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    mill.until(lambda: probes.http(f"http://127.0.0.1:{port}/health/ready"))
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture(scope="module")
def app(mill: Installation) -> dict[str, str]:
    """An app of these tests."""
    return mill.json("app", "create", "Repeated")


def post(url: str, app: dict[str, str], event: Event) -> None:
    answer = httpx.post(
        f"{url}/v1/events", json=event, headers={"Authorization": f"Bearer {app['write_key']}"}, timeout=60
    )
    assert answer.json()["quarantined"] == 0, answer.text


def publish(mill: Installation, app: dict[str, str], event: Event) -> None:
    async def send() -> None:
        client = await nats.connect(mill.settings.nats_address)
        await client.jetstream().publish(f"events.{app['app_id']}", json.dumps(event).encode())
        await client.close()

    asyncio.run(send())


def at(**offset: float) -> str:
    return (datetime.now(UTC) + timedelta(**offset)).isoformat()


def repeated(name: str, first: Event, again: Event) -> tuple[str, Event, Event]:
    common = {"event_id": name, "event_type": name, "user_id": "u"}
    return name, common | first, common | again


def cases() -> list[tuple[str, Event, Event]]:
    """A name, the event as it is sent first, and as it is sent again."""
    now, wrong, ahead, old = at(), at(hours=-7), at(hours=5), at(days=-40)
    return [
        repeated("right clock", {"timestamp": now}, {"timestamp": now}),
        # A retry is sent later, and says so: the corrected times of the copies differ.
        repeated(
            "clock that is slow",
            {"timestamp": wrong, "sent_at": at(hours=-7)},
            {"timestamp": wrong, "sent_at": at(hours=-7, minutes=90)},
        ),
        repeated("timestamp in the future", {"timestamp": ahead}, {"timestamp": ahead}),
        repeated("event of long ago", {"timestamp": old}, {"timestamp": old}),
    ]


def test_an_event_counts_once_however_often_and_by_whatever_door_it_comes(
    mill: Installation, app: dict[str, str], second_gateway: str
) -> None:
    url = f"http://127.0.0.1:{mill.settings.ingest_port}"
    events = cases()
    for _, first, _ in events:
        post(url, app, first)
    # Beyond the window of recent ids, as after a day: the copies are stored, and found when numbers are computed.
    for _ in range(2):
        time.sleep(WINDOW_SECONDS + 1)
        for _, _, again in events:
            post(second_gateway, app, again)
            publish(mill, app, again)
            post(url, app, again)

    def totals() -> dict[str, Any]:
        return mill.get("/api/accounting", app["read_key"], granularity="hour")["meta"]["totals"]

    expected = len(events) * 7
    # An hour is in balance once the copies written last are found too: what is counted alone may be right before that.
    mill.until(lambda: totals()["received"] == expected and totals()["balanced"])
    assert totals()["counted"] == len(events)
    assert totals()["later_duplicate"] > 0
    assert totals()["window_duplicate"] > 0
    statement = "select event_type, sum(event_count)::int from marts.daily_stats where app_id = %s group by 1"
    mill.until(lambda: dict(mill.query(statement, app["app_id"])) == {name: 1 for name, _, _ in events})
    hourly = statement.replace("daily_stats", "hourly_stats")
    assert dict(mill.query(hourly, app["app_id"])) == {name: 1 for name, _, _ in events}
