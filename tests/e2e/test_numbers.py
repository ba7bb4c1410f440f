"""The numbers that come out are those of what went in, through every real component."""

import asyncio
import gzip
import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest

from eventmill.enrichment import client_of
from tests.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
LOG = Path(__file__).parents[1] / "data" / "access_2015-05.log.gz"
LINE = re.compile(
    r'(?P<address>\S+) \S+ \S+ \[(?P<time>[^]]+)\] "(?P<method>\S+) (?P<target>\S+) [^"]*" (?P<status>\d+) \S+'
    r' "[^"]*" "(?P<agent>[^"]*)"$'
)
ASSET = re.compile(
    r"\.(css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot|swf|mp[34]|webm)$", re.IGNORECASE
)
DAYS = {date(2015, 5, 17): 1632, date(2015, 5, 18): 2893, date(2015, 5, 19): 2896, date(2015, 5, 20): 2578}


def hits() -> list[dict[str, Any]]:
    """Every readable line of the log, in plain Python."""
    found = []
    for line in gzip.decompress(LOG.read_bytes()).decode().splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            continue
        path = match["target"].partition("#")[0].partition("?")[0]
        is_view = (
            match["method"] == "GET"
            and (match["status"].startswith("2") or match["status"] == "304")
            and not ASSET.search(path)
        )
        at = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        is_bot = client_of(match["agent"], from_access_log=True).get("is_bot") is True
        visitor = (match["address"], match["agent"])
        found.append({"at": at, "visitor": visitor, "path": path, "is_view": is_view, "is_bot": is_bot})
    return found


@pytest.fixture(scope="module")
def imported(mill: Installation) -> dict[str, str]:
    """An app into which the log was imported twice."""
    app = mill.json("app", "create", "Access log")
    first = mill.json("import", "access-log", str(LOG), "--app", app["app_id"])
    assert first["quarantined"] == {"unparsable_line": 1}
    mill.settle()
    mill.json("import", "access-log", str(LOG), "--app", app["app_id"])
    mill.settle()
    return app


def test_events_per_day_are_the_lines_of_the_log(mill: Installation, imported: dict[str, str]) -> None:
    answer = mill.get("/api/metrics/daily", imported["read_key"], start="2015-05-17", end="2015-05-21")
    assert {row["date"]: row["events"] for row in answer["data"]} == {
        day.isoformat(): events for day, events in DAYS.items()
    }
    assert (answer["meta"]["range"]["start"], answer["meta"]["range"]["end"]) == ("2015-05-17", "2015-05-21")


def test_visitors_per_day_equal_a_recomputation_without_bots(mill: Installation, imported: dict[str, str]) -> None:
    expected: dict[str, set[Any]] = defaultdict(set)
    for hit in hits():
        if not hit["is_bot"]:
            expected[hit["at"].date().isoformat()].add(hit["visitor"])
    answer = mill.get("/api/metrics/daily", imported["read_key"], start="2015-05-17", end="2015-05-21")
    assert {row["date"]: row["visitors"] for row in answer["data"]} == {
        day: len(visitors) for day, visitors in expected.items()
    }


def test_pages_per_day_equal_a_recomputation(mill: Installation, imported: dict[str, str]) -> None:
    expected: dict[tuple[str, date], list[Any]] = defaultdict(list)
    for hit in hits():
        if hit["is_view"] and not hit["is_bot"]:
            expected[hit["path"], hit["at"].date()].append(hit["visitor"])
    rows = mill.query(
        "select page_url, date, view_count, unique_visitors from marts.page_daily where app_id = %s and view_count > 0",
        imported["app_id"],
    )
    assert {(page, day): (views, visitors) for page, day, views, visitors in rows} == {
        page: (len(visitors), len(set(visitors))) for page, visitors in expected.items()
    }


def test_hours_add_up_to_the_days_events(mill: Installation, imported: dict[str, str]) -> None:
    rows = mill.query(
        "select date, sum(event_count)::int from marts.hourly_stats where app_id = %s group by 1", imported["app_id"]
    )
    assert dict(rows) == DAYS


def test_ten_messages_straight_to_nats_are_ten_views_of_three_visitors(mill: Installation) -> None:
    app = mill.json("app", "create", "Direct")

    async def publish() -> None:
        client = await nats.connect(mill.settings.nats_address)
        for number in range(10):
            event = {
                "user_pk": number % 3,
                "session_id": f"session-{number % 5}",
                "page_url": "/test-page",
                "timestamp": f"2015-06-01T12:00:{number:02}Z",
            }
            await client.jetstream().publish(
                f"events.{app['app_id']}", json.dumps(event).encode(), headers={"Em-History": "true"}
            )
        await client.close()

    asyncio.run(publish())
    statement = "select view_count, unique_visitors from marts.page_daily where app_id = %s"
    mill.until(lambda: mill.query(statement, app["app_id"]) == [(10, 3)])


def test_everything_that_arrived_is_accounted_for(mill: Installation) -> None:
    """Good, bad and repeated events by both doors: each is stored, recognised or kept apart, and counted once."""
    app = mill.json("app", "create", "Accounts")
    at = datetime.now(UTC).isoformat()
    good = [{"event_id": f"e{number}", "user_id": "u", "event_type": "click", "timestamp": at} for number in range(5)]
    bad = [{"event_type": "click"}, {"user_id": "u", "event_type": "click", "timestamp": "noon"}]

    async def publish(events: list[dict[str, Any]]) -> None:
        client = await nats.connect(mill.settings.nats_address)
        for event in events:
            await client.jetstream().publish(f"events.{app['app_id']}", json.dumps(event).encode())
        await client.close()

    url = f"http://127.0.0.1:{mill.settings.ingest_port}/v1/events"
    for events in (good + bad, good):
        answer = httpx.post(url, json=events, headers={"Authorization": f"Bearer {app['write_key']}"}, timeout=60)
        assert answer.status_code == 200, answer.text
    asyncio.run(publish([good[0] | {"event_id": "e5"}, good[0], bad[0]]))

    def totals() -> dict[str, Any]:
        meta: dict[str, Any] = mill.get("/api/accounting", app["read_key"], granularity="hour")["meta"]
        return meta["totals"]

    mill.until(lambda: (totals()["received"], totals()["counted"]) == (15, 6))
    found = totals()
    assert found["balanced"]
    assert (found["quarantined"], found["stored"] + found["window_duplicate"]) == (3, 12)
    assert found["reasons"]["quarantined"] == {"missing_identity": 2, "bad_timestamp": 1}
    assert found["window_duplicate"] + found["later_duplicate"] == 6
    today = next(one for one in mill.status()["today"] if one["app_id"] == app["app_id"])
    assert (today["received"], today["duplicates"], today["quarantined"], today["silent_since"]) == (15, 6, 3, None)


def test_a_seed_of_50000_is_50000_in_mart_and_answer(mill: Installation) -> None:
    app = mill.json("app", "create", "Seeded")
    mill.json("seed", "--app", app["app_id"], "--count", "50000", "--source", "web")
    mill.settle()
    in_mart = mill.query(
        "select sum(event_count)::int from marts.daily_metrics where app_id = %s"
        " and source = 'web' and is_all_event_names",
        app["app_id"],
    )
    answer = mill.get("/api/metrics/daily", app["read_key"], source="web", start="2020-01-01")
    assert (in_mart, sum(row["events"] for row in answer["data"])) == ([(50_000,)], 50_000)
