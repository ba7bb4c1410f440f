"""Questions of version 2 over HTTP: forms of answers, names of numbers, pages, refusals."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
import pytest

from eventmill.settings import Settings
from tests.shop_service import Service, fill, make_apps

pytestmark = pytest.mark.integration

QUESTION = {"metrics": ["events", "page_views"], "date_range": ["2026-03-07", "2026-03-10"], "granularity": "day"}
EVENTS = [9, 4, 0]
CSV, NDJSON, ARROW = "text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"
SPAN = {"start": "2026-03-07", "end": "2026-03-10"}


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Service:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def ask(service: Service, question: object, key: str = "read", **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {service.keys[key]}"}
    content = question if isinstance(question, bytes) else json.dumps(question)
    return httpx.post(f"{service.url}/api/v2/query", content=content, headers=authorization | headers)


def test_a_question_is_answered_with_what_it_rests_on(service: Service) -> None:
    answer = ask(service, QUESTION)
    assert answer.status_code == 200
    assert [row["events"] for row in answer.json()["data"]] == EVENTS
    assert answer.json()["meta"]["why"] == "metric by day"


# A header that comes twice sends a question through the framework (rest/direct_questions.py), which is the reference.
TWICE = [("X-Any", "1"), ("X-Any", "2")]
SAME = ("content-type", "content-length", "cache-control", "vary", "etag", "www-authenticate", "retry-after")


@pytest.mark.parametrize(
    ("content", "key", "headers"),
    [
        (QUESTION, "read", {}),
        (QUESTION, "admin", {"Accept": "*/*"}),
        ({**QUESTION, "compare": "previous_period"}, "read", {"Accept": "application/json;q=0.5, text/html"}),
        (QUESTION, "read", {"If-None-Match": "*"}),
        (QUESTION, "read", {"If-None-Match": 'W/"another"'}),
        (QUESTION, "write", {}),
        (QUESTION, "em_r_nobody", {}),
        (QUESTION, "read", {"Authorization": "Basic eDp5"}),
        (QUESTION, "read", {"Accept": "text/html"}),
        ({**QUESTION, "metrics": ["nothing"]}, "read", {}),
        ({**QUESTION, "app_id": "rival"}, "read", {}),
        ({**QUESTION, "more": 1}, "read", {}),
        ({"metrics": ["conversion_rate"], "goal": "none"}, "read", {}),
        (b"", "read", {}),
        (b"[]", "read", {}),
        (b"\xff", "read", {}),
        (b" " * 70_000, "read", {}),
    ],
)
def test_a_plain_question_is_answered_as_the_framework_answers_it(
    service: Service, content: object, key: str, headers: dict[str, str]
) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content)
    given = {"Authorization": f"Bearer {service.keys.get(key, key)}"} | headers
    plain, reference = (
        httpx.post(f"{service.url}/api/v2/query", content=body, headers=[*given.items(), *more]) for more in ([], TWICE)
    )
    assert plain.status_code == reference.status_code
    assert {name: plain.headers.get(name) for name in SAME} == {name: reference.headers.get(name) for name in SAME}
    assert ("ratelimit" in plain.headers) == ("ratelimit" in reference.headers)
    assert _lasting(plain) == _lasting(reference)


def _lasting(answer: httpx.Response) -> Any:
    """The answer without what moves on with the clock."""
    found = answer.json() if answer.content else None
    if isinstance(found, dict) and "meta" in found:
        found["meta"].pop("as_of")
    return found


def test_rows_come_as_csv_arrow_and_ndjson(service: Service) -> None:
    rows = [*csv.DictReader(io.StringIO(ask(service, QUESTION, Accept=CSV).text))]
    assert [int(row["events"]) for row in rows] == EVENTS
    lines = ask(service, QUESTION, Accept=NDJSON)
    assert [json.loads(line)["events"] for line in lines.text.splitlines()] == EVENTS
    assert json.loads(lines.headers["eventmill-meta"])["source"] == "rollup"
    stream = ask(service, QUESTION, Accept=ARROW)
    assert pa.ipc.open_stream(stream.content).read_all()["events"].to_pylist() == EVENTS
    assert stream.headers["content-type"] == ARROW


@pytest.mark.parametrize(
    "path",
    [
        *("/api/metrics/daily", "/api/metrics/timeseries", "/api/metrics/today", "/api/pages"),
        *("/api/pages/top", "/api/accounting", "/api/apps", "/api/anomalies", "/api/restatements", "/api/goals"),
    ],
)
def test_every_list_comes_in_every_form(service: Service, path: str) -> None:
    authorization = {"Authorization": f"Bearer {service.keys['read']}"}
    rows = httpx.get(service.url + path, headers=authorization).json()["data"]
    for accept in (CSV, NDJSON, ARROW):
        answer = httpx.get(service.url + path, headers={**authorization, "Accept": accept})
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, accept)
        if accept == ARROW:
            assert pa.ipc.open_stream(answer.content).read_all().num_rows == len(rows) or not rows


def test_another_form_is_refused_with_those_that_there_are(service: Service) -> None:
    refused = ask(service, QUESTION, Accept="text/html")
    assert (refused.status_code, refused.json()["field"]) == (406, "Accept")
    assert CSV in refused.json()["rule"]
    health = httpx.get(
        f"{service.url}/api/health", headers={"Authorization": f"Bearer {service.keys['read']}", "Accept": CSV}
    )
    assert (health.status_code, health.json()["rule"]) == (406, "One of: application/json.")


def test_numbers_that_a_client_has_are_not_sent_again(service: Service) -> None:
    first = ask(service, QUESTION)
    assert first.headers["cache-control"] == "private, no-cache"
    again = ask(service, QUESTION, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = ask(service, {**QUESTION, "metrics": ["events"]}, **{"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    as_csv = ask(service, QUESTION, Accept=CSV, **{"If-None-Match": first.headers["etag"]})
    assert as_csv.status_code == 200
    daily = service.get("/api/metrics/daily", **SPAN)
    authorization = {"Authorization": f"Bearer {service.keys['read']}"}
    headers = authorization | {"If-None-Match": f'"other", {daily.headers["etag"]}'}
    assert httpx.get(f"{service.url}/api/metrics/daily", params=SPAN, headers=headers).status_code == 304


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"metrics": ["clicks"]}, "metrics[0]"),
        ({**QUESTION, "colour": "red"}, "'colour'"),
        ([], "body"),
        (b"{", "body"),
        (b"\xff", "body"),
        (b"[" * 100_000, "body"),
        ({**QUESTION, "app_id": 7}, "app_id"),
    ],
)
def test_what_is_no_question_is_refused_with_the_field(service: Service, question: object, field: str) -> None:
    refused = ask(service, question)
    assert (refused.status_code, refused.json()["field"]) == (400, field)


def test_an_app_and_a_cursor_of_somebody_else_are_as_if_there_were_none(service: Service) -> None:
    asked = {**QUESTION, "limit": 1}
    cursor = ask(service, asked).json()["meta"]["next_cursor"]
    missing = ask(service, {**asked, "app_id": "no-such"}, key="rival")
    others = ask(service, {**asked, "app_id": "shop"}, key="rival")
    assert (missing.status_code, others.status_code) == (404, 404)
    assert others.json() == {**missing.json(), "detail": missing.json()["detail"].replace("no-such", "shop")}
    for wrong in (cursor, "bm90IG91cnM="):
        refused = ask(service, {**asked, "cursor": wrong}, key="rival")
        assert (refused.status_code, refused.json()["field"]) == (400, "cursor")


def test_pages_by_day_are_continued_by_the_cursor(service: Service) -> None:
    whole = service.data("/api/pages", **SPAN)
    assert whole[0] == {
        "page_url": "/",
        "date": "2026-03-08",
        "view_count": 3,
        "unique_visitors": 2,
        "bounce_rate": 33.33,
        "avg_session_duration": 15.0,
    }
    assert [(row["date"][-2:], row["page_url"]) for row in whole] == [
        ("08", "/"),
        ("08", "/cart"),
        ("07", "/"),
        ("07", "/cart"),
    ]
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str | None] = {}
    for _ in whole:
        answer = service.get("/api/pages", limit=1, **SPAN, **cursor).json()
        rows += answer["data"]
        cursor = {"cursor": answer["meta"]["next_cursor"]}
    assert (rows, cursor) == (whole, {"cursor": None})
    assert len(service.data("/api/pages", page_url="/cart", **SPAN)) == 2
    assert service.problem("/api/pages", cursor="bm90IG91cnM=")[:2] == (400, "cursor")


def test_the_cache_is_counted(service: Service) -> None:
    for _ in range(2):
        ask(service, {**QUESTION, "metrics": ["unique_users"]})
    counted = service.get("/metrics", key=None).text
    assert 'eventmill_query_cache_total{outcome="hit"} 0.0' not in counted
    assert 'eventmill_query_cache_total{outcome="miss"} 0.0' not in counted
