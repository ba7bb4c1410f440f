"""The query service as its users meet it: a process, a port, keys, and numbers from real marts."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from eventmill import dbt
from eventmill.settings import Settings
from query_service.query.model import Tenant
from query_service.query.spec import parse
from tests.shop_service import DIRTY, SPAN, Service, fill, make_apps

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Iterator[Service]:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def test_daily_metrics_are_one_exact_row_a_day(service: Service) -> None:
    people = {"users": 1, "visitors": 3, "sessions": 2}
    assert service.data("/api/metrics/daily", **SPAN) == [
        {"date": "2026-03-07", "source": "all", "event_name": "all", "events": 9, **people},
        {"date": "2026-03-08", "source": "all", "event_name": "all", "events": 4, **people},
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"source": "web"}, [("web", "all", 8)]),
        ({"source": "api"}, [("server", "all", 1)]),
        ({"source": "*"}, [("server", "all", 1), ("web", "all", 8)]),
        ({"event_name": "buy"}, [("all", "buy", 2)]),
        ({"event_name": "*"}, [("all", "all", 1), ("all", "buy", 2)]),
        ({"source": "web", "event_name": "buy"}, [("web", "buy", 2)]),
        ({"source": "*", "event_name": "*"}, [("web", "buy", 2)]),
        ({"event_name": "no such"}, []),
        ({"event_name": "'; drop schema marts --"}, []),
    ],
)
def test_daily_metrics_are_cut_by_source_and_name(
    service: Service, asked: dict[str, str], expected: list[tuple[str, str, int]]
) -> None:
    rows = service.data("/api/metrics/daily", start="2026-03-07", end="2026-03-08", **asked)
    assert [(row["source"], row["event_name"], row["events"]) for row in rows] == expected


def test_pages_of_rows_are_continued_by_the_cursor(service: Service) -> None:
    whole = service.data("/api/metrics/daily", source="*", **SPAN)
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in whole:
        answer = service.get("/api/metrics/daily", source="*", limit=1, **SPAN, **cursor).json()
        rows += answer["data"]
        cursor = {"cursor": answer["meta"]["next_cursor"]}
    assert rows == whole
    assert cursor == {"cursor": None}


def test_the_range_is_thirty_days_and_today_unless_told_otherwise(service: Service) -> None:
    covered = service.get("/api/metrics/daily", key="blog").json()["meta"]["range"]
    today = datetime.now(UTC).date()
    assert date.fromisoformat(covered["end"]) - date.fromisoformat(covered["start"]) == timedelta(days=31)
    assert date.fromisoformat(covered["end"]) - today in {timedelta(days=1), timedelta(0)}
    assert covered["time_zone"] == "UTC"


def test_days_without_events_are_zero_in_a_timeseries(service: Service) -> None:
    assert service.data("/api/metrics/timeseries", **SPAN) == [
        {"timestamp": "2026-03-07T00:00:00-05:00", "value": 9},
        {"timestamp": "2026-03-08T00:00:00-05:00", "value": 4},
        {"timestamp": "2026-03-09T00:00:00-04:00", "value": 0},
    ]
    purchases = service.data("/api/metrics/timeseries", event_type="purchase", **SPAN)
    assert [row["value"] for row in purchases] == [2, 2, 0]


def test_the_hour_that_is_skipped_has_no_row(service: Service) -> None:
    rows = service.data("/api/metrics/timeseries", granularity="hour", start="2026-03-08", end="2026-03-09")
    assert len(rows) == 23
    assert rows[:4] == [
        {"timestamp": "2026-03-08T00:00:00-05:00", "value": 0},
        {"timestamp": "2026-03-08T01:00:00-05:00", "value": 2},
        {"timestamp": "2026-03-08T03:00:00-04:00", "value": 7},
        {"timestamp": "2026-03-08T04:00:00-04:00", "value": 0},
    ]


def test_hours_can_be_asked_for_by_instant(service: Service) -> None:
    asked = {"granularity": "hour", "start": "2026-03-08T06:00:00Z", "end": "2026-03-08T03:00:00-04:00"}
    assert service.data("/api/metrics/timeseries", **asked) == [{"timestamp": "2026-03-08T01:00:00-05:00", "value": 2}]


def test_top_pages_add_views_over_days_but_never_visitors(service: Service) -> None:
    rates = {"bounce_rate": 33.33, "avg_session_duration": 15.0}
    none = {"bounce_rate": None, "avg_session_duration": None}
    assert service.data("/api/pages/top", **SPAN) == [
        {"page_url": "/", "view_count": 6, "unique_visitors": None, **rates},
        {"page_url": "/cart", "view_count": 4, "unique_visitors": None, **none},
    ]
    one_day = service.data("/api/pages/top", start="2026-03-07", end="2026-03-08", limit=1)
    assert one_day == [{"page_url": "/", "view_count": 3, "unique_visitors": 2, **rates}]


def test_an_answer_says_how_fresh_and_exact_it_is(service: Service) -> None:
    meta = service.get("/api/metrics/daily", **SPAN).json()["meta"]
    assert datetime.fromisoformat(meta.pop("as_of")).tzinfo is not None
    assert meta == {
        "complete_through": "2026-03-09T12:00:00Z",
        "late_pending": 0,
        "source": "rollup",
        "exact": True,
        "definition_version": "d1",
        "mixed": False,
        "bots": "counted in events only",
        "range": {**SPAN, "time_zone": "America/New_York"},
        "next_cursor": None,
        "last_event_at": "2026-03-08T12:40:00Z",
        "silent_since": None,
        "uniques_scope": None,
    }


def test_a_dirty_period_holds_completeness_back_where_it_is_in_range(
    rollups: Any, start_query_service: Callable[[str], Settings]
) -> None:
    keys = make_apps(rollups.address)
    fill(rollups)
    rollups.execute(
        "update rollups.periods set dirty_since = %(at)s, late_pending = 3, definition_version = 'd2'"
        " where local_date = '2026-03-08'",
        {"at": DIRTY},
    )
    settings = start_query_service(rollups.address)
    service = Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)
    meta = service.get("/api/metrics/daily", **SPAN).json()["meta"]
    assert (meta["complete_through"], meta["late_pending"], meta["mixed"]) == ("2026-03-09T11:00:00Z", 3, True)
    meta = service.get("/api/metrics/daily", start="2026-03-07", end="2026-03-08").json()["meta"]
    assert (meta["complete_through"], meta["late_pending"], meta["mixed"]) == ("2026-03-09T12:00:00Z", 0, False)


def test_todays_totals_are_zero_before_the_first_event(service: Service) -> None:
    [row] = service.data("/api/metrics/today")
    assert {name: row[name] for name in row if name != "date"} == dict.fromkeys(
        ("events", "page_views", "users", "visitors", "sessions"), 0
    )


@pytest.mark.parametrize("path", ["metrics/daily", "metrics/timeseries", "metrics/today", "pages/top", "accounting"])
def test_a_key_reads_its_own_apps_and_no_other_exists_for_it(service: Service, path: str) -> None:
    outside = service.get(f"/api/{path}", app_id="rival")
    missing = service.get(f"/api/{path}", app_id="missing")
    assert outside.status_code == missing.status_code == 404
    assert outside.text.replace("rival", "missing") == missing.text
    assert service.get(f"/api/{path}", key="admin").status_code == 200
    assert service.problem(f"/api/{path}", key="write")[:2] == (403, "Authorization")
    assert service.problem(f"/api/{path}", key=None)[:2] == (401, "Authorization")
    assert service.problem(f"/api/{path}", key="em_r_abcdefgh_" + "x" * 43)[:2] == (401, "Authorization")
    assert service.problem(f"/api/{path}", key="both") == (400, "app_id", "One of: blog, shop.")
    assert service.get(f"/api/{path}", key="both", app_id="shop").status_code == 200


def test_the_tenant_decides_the_numbers(service: Service) -> None:
    assert [row["events"] for row in service.data("/api/metrics/daily", key="rival", **SPAN)] == [1000]
    assert service.data("/api/metrics/daily", key="blog", **SPAN) == []
    assert [app["app_id"] for app in service.data("/api/apps", key="both")] == ["blog", "shop"]


@pytest.mark.parametrize(
    ("path", "asked", "field", "rule"),
    [
        ("metrics/daily", {"start": "yesterday"}, "start", "YYYY-MM-DD"),
        ("metrics/daily", {"start": "2026-02-30"}, "start", "YYYY-MM-DD"),
        ("metrics/daily", {"start": "2026-03-08", "end": "2026-03-08"}, "end", "exclusive"),
        ("metrics/daily", {"start": "1990-01-01", "end": "2026-01-01"}, "start", "At most 3660 days"),
        ("metrics/daily", {"source": "fax"}, "source", "all, *, web, mobile, server, import"),
        ("metrics/daily", {"event_name": ""}, "event_name", "1 to 200 characters"),
        ("metrics/daily", {"event_name": "a\0b"}, "event_name", "1 to 200 characters"),
        ("metrics/daily", {"limit": "0"}, "limit", "from 1 to 10000"),
        ("metrics/daily", {"cursor": "?"}, "cursor", "next_cursor"),
        ("metrics/daily", {"even_name": "x"}, "even_name", "event_name"),
        ("metrics/daily", {"source": ["web", "mobile"]}, "source", "Once"),
        ("metrics/timeseries", {"granularity": "year"}, "granularity", "One of: hour, day, week, month, auto"),
        ("metrics/timeseries", {"granularity": "hour", "start": "2026-03-08T06:30:00Z"}, "start", "start of an hour"),
        ("metrics/timeseries", {"granularity": "hour", "start": "2026-03-08T06:00:00"}, "start", "RFC 3339"),
        ("accounting", {"granularity": "week"}, "granularity", "One of: hour, day"),
        ("pages/top", {"limit": "many"}, "limit", "from 1 to 1000"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_rule(
    service: Service, path: str, asked: dict[str, Any], field: str, rule: str
) -> None:
    status, named, said = service.problem(f"/api/{path}", **asked)
    assert (status, named) == (400, field)
    assert rule in said


def test_an_unknown_path_is_a_problem_too(service: Service) -> None:
    assert service.problem("/api/nothing")[0] == 404


def test_health_and_metrics_need_no_key(service: Service) -> None:
    assert service.get("/health/live", key=None).json() == {"status": "live"}
    checks = {"marts": "ok", "live": "ok"}
    assert service.get("/health/ready", key=None).json() == {"status": "ready", "checks": checks}
    assert "eventmill_query_requests_total" in service.get("/metrics", key=None).text


def test_the_description_lists_every_endpoint_with_its_parameters(service: Service) -> None:
    paths = service.get("/openapi.json", key=None).json()["paths"]
    daily = paths["/api/metrics/daily"]["get"]
    names = [parameter["name"] for parameter in daily["parameters"]]
    assert names == ["app_id", "source", "event_name", "start", "end", "limit", "cursor"]
    assert daily["security"] == [{"key": []}]
    assert "days without data are left out" in daily["description"]
    assert {"200", "400", "401", "403", "404", "406", "503"} <= set(daily["responses"])
    assert set(daily["responses"]["400"]["content"]) == {"application/problem+json"}
    assert {"/api/metrics/timeseries", "/api/metrics/today", "/api/pages/top", "/api/apps", "/api/health"} < set(paths)
    examples = paths["/api/v2/query"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert all(
        parse(example["value"], Tenant("shop", ZoneInfo("UTC")), datetime.now(UTC)) for example in examples.values()
    )


def test_pages_ask_no_other_host_and_forbid_it(service: Service) -> None:
    pages = "".join(service.get(path, key=None).text for path in ("/", "/docs"))
    files = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', pages))
    assert files
    for path in ("/", "/docs", *files):
        response = service.get(path, key=None)
        assert response.status_code == 200
        if "/vendor/" in path:
            continue  # comments of libraries name addresses; the policy below holds for them too
        # Names of XML vocabularies look like addresses.
        text = re.sub(r"http://www\.w3\.org/[\w/]+", "", response.text).replace("curl http://${", "")
        assert "http://" not in text.replace("http:\\", "")
        assert "https://" not in text
    assert "default-src 'none'" in service.get("/", key=None).headers["content-security-policy"]


def test_the_metrics_documentation_is_served_once_it_is_built(service: Service) -> None:
    page = dbt.docs_page(service.settings)
    missing = service.get("/docs/metrics", key=None)
    assert missing.status_code == 404
    assert "not built yet" in missing.text
    page.parent.mkdir(parents=True)
    page.write_text("<p>the docs</p>")
    built = service.get("/docs/metrics", key=None)
    assert (built.status_code, built.text) == (200, "<p>the docs</p>")
    assert built.headers["content-security-policy"].startswith("sandbox")
