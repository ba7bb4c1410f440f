"""A real access log: sessions, bounces and entry pages against a recomputation from its own lines."""

import gzip
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import msgspec
import pyarrow as pa
import pytest

from analytics_pipeline.engines import sessions as engine
from analytics_pipeline.lib import calendar
from eventmill.access_log import AccessLogFormat
from eventmill.analysis import relations
from eventmill.contracts.schema import EVENTS_SCHEMA

LOG = Path(__file__).parents[2] / "data" / "access_2015-05.log.gz"
ACTOR_EVENTS = pa.schema(
    [
        *EVENTS_SCHEMA,
        pa.field("place", pa.int64()),
        pa.field("actor", pa.string()),
        pa.field("actor_user_id", pa.string()),
        pa.field("is_view", pa.bool_()),
    ]
)
LINE = re.compile(
    r'(?P<host>\S+) \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>\S+) (?P<target>\S+)[^"]*" (?P<status>\d+)'
    r' \S+ "[^"]*" "(?P<agent>[^"]*)"'
)
ASSET = re.compile(
    r"\.(css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot|swf|mp[34]|webm)$", re.IGNORECASE
)
GREENWICH = ZoneInfo("UTC")
# (start, views, requests, seconds, entry page)
Visit = tuple[datetime, int, int, float, str | None]


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """Lines that are whole and not exact repeats of an earlier one."""
    return [line for line in dict.fromkeys(gzip.decompress(LOG.read_bytes()).splitlines()) if line.endswith(b'"')]


@pytest.fixture(scope="module")
def visits(lines: list[bytes]) -> list[Visit]:
    """Requests of one address and program, no more than half an hour apart."""
    clients: dict[tuple[str, str], list[tuple[datetime, str | None]]] = defaultdict(list)
    for line in lines:
        found = LINE.match(line.decode("utf-8", "replace").replace('\\"', "'"))
        assert found is not None, line
        path = re.split(r"[?#]", found["target"])[0]
        is_page = found["method"] == "GET" and re.fullmatch("2..|304", found["status"]) and not ASSET.search(path)
        at = datetime.strptime(found["at"], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        clients[found["host"], found["agent"]].append((at, path if is_page else None))
    result: list[Visit] = []
    for requests in clients.values():
        requests.sort(key=lambda request: request[0])
        visit: list[tuple[datetime, str | None]] = []
        for request in requests:
            if visit and request[0] - visit[-1][0] > timedelta(minutes=30):
                result.append(_summary(visit))
                visit = []
            visit.append(request)
        result.append(_summary(visit))
    return result


def _summary(visit: list[tuple[datetime, str | None]]) -> Visit:
    pages = [page for _, page in visit if page is not None]
    seconds = (visit[-1][0] - visit[0][0]).total_seconds()
    return visit[0][0], len(pages), len(visit), seconds, pages[0] if pages else None


@pytest.fixture(scope="module")
def rows(lines: list[bytes]) -> list[dict[str, Any]]:
    """Sessions of the log's four days, bots included."""
    imported = AccessLogFormat("site", b"salt of the app")
    events = []
    for number, line in enumerate(lines):
        sent = msgspec.json.decode(imported.encode(line, number, str(number)))
        events.append(
            sent
            | {
                "app_id": "site",
                "event_time": datetime.fromisoformat(sent["timestamp"]),
                "timestamp": None,
                "page_url": re.split(r"[?#]", sent["page_url"])[0] if "page_url" in sent else None,
                "properties": "{}",
                "is_bot": bool(sent.get("is_bot")),
                "place": number,
                "actor": "a" + sent["anonymous_id"],
                "is_view": sent["event_type"] == "page_view",
            }
        )
    days = [calendar.day("site", GREENWICH, date(2015, 5, 17) + timedelta(days=number)) for number in range(4)]
    with duckdb.connect(config={"threads": 1}) as duck:
        relations.prepare(duck)
        duck.register("actor_events", pa.Table.from_pylist(events, schema=ACTOR_EVENTS))
        engine.find_sessions(duck, days, engine.days_around(days, {"site": GREENWICH}))
        found = duck.sql("from session_row where traffic in ('both', 'all')").to_arrow_table().to_pylist()
    return list(found)


def test_every_visit_is_a_session_of_its_day(rows: list[dict[str, Any]], visits: list[Visit]) -> None:
    found = Counter((row["started_at"].date(), row["events"], row["views"], row["duration_seconds"]) for row in rows)
    assert found == Counter((start.date(), size, views, seconds) for start, views, size, seconds, _ in visits)


def test_bounces_of_every_entry_page(rows: list[dict[str, Any]], visits: list[Visit]) -> None:
    found = Counter((row["entry_page"], row["is_bounce"]) for row in rows)
    expected = Counter(
        (page, views == 1 and size == 1 and seconds < 10 if views else None) for _, views, size, seconds, page in visits
    )
    assert found == expected
