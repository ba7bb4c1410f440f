"""`/api/anomalies`, `/api/restatements` and `/api/health` as their users meet them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from eventmill.dbt import PROJECT
from eventmill.settings import Settings
from query_service.query.watch_answer import MARTS
from tests.shop_service import Service, fill, make_apps

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
# The end of summer time in New York: one o'clock occurs twice.
TWICE = (datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))
SPAN = {"start": "2026-11-01", "end": "2026-11-02"}


def anomaly(rollups: Any, start: datetime, metric: str = "page_views", **columns: Any) -> None:
    row = {"app_id": "shop", "metric": metric, "period_start": start, "local_date": start.date(), "local_hour": 1}
    row |= {"utc_offset_minutes": -240, "current_value": 50, "previous_value": 100, "change_pct": -50.0}
    row |= {"expected_value": 100.0, "deviation": 10.0, "weeks_compared": 4, "is_partial": False, "is_anomaly": True}
    rollups.insert("rollups.hourly_anomaly", row | {"computed_at": start} | columns)


def restatement(rollups: Any, number: int, app_id: str = "shop") -> None:
    row = {"app_id": app_id, "table_name": "metric", "grain": "hour", "period_start": TWICE[0], "metric": "events"}
    row |= {"local_date": TWICE[0].date(), "value_before": number, "value_after": number + 1, "rows_changed": 1}
    rollups.insert("rollups.restatement", row | {"cause": "late_events", "restated_at": NOW - HOUR})


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Service:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    anomaly(module_rollups, TWICE[0])
    anomaly(module_rollups, TWICE[1], is_anomaly=False, change_pct=None, previous_value=0)
    anomaly(module_rollups, TWICE[1], metric="events")
    for number in range(3):
        restatement(module_rollups, number)
    restatement(module_rollups, 9, "rival")
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def test_anomalies_come_by_hour_in_the_apps_time(service: Service) -> None:
    first, second = service.data("/api/anomalies", **SPAN)
    assert first == {
        "timestamp": "2026-11-01T01:00:00-04:00",
        "metric": "page_views",
        "current_views": 50,
        "prev_views": 100,
        "change_pct": -50.0,
        "expected": 100.0,
        "deviation": 10.0,
        "weeks_compared": 4,
        "is_partial": False,
        "is_anomaly": True,
    }
    assert (second["timestamp"], second["change_pct"]) == ("2026-11-01T01:00:00-05:00", None)


@pytest.mark.parametrize(
    ("asked", "rows"), [({"flagged": "true"}, 1), ({"metric": "*"}, 3), ({"metric": "*", "flagged": "true"}, 2)]
)
def test_anomalies_can_be_limited_to_flagged_ones_and_to_a_metric(
    service: Service, asked: dict[str, str], rows: int
) -> None:
    assert len(service.data("/api/anomalies", **SPAN, **asked)) == rows
    assert service.data("/api/anomalies", key="blog", **SPAN, **asked) == []


@pytest.mark.parametrize("path", ["/api/anomalies?metric=*", "/api/restatements"])
def test_long_answers_are_continued_by_their_cursor(service: Service, path: str) -> None:
    url, _, metric = path.partition("?metric=")
    asked: dict[str, Any] = {"metric": metric, **SPAN} if metric else {}
    whole = service.data(url, **asked)
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in whole:
        answer = service.get(url, limit=1, **asked, **cursor).json()
        rows += answer["data"]
        cursor = {"cursor": answer["meta"]["next_cursor"]}
    assert (rows, cursor, len(whole)) == (whole, {"cursor": None}, 3)


def test_restatements_come_the_latest_first_with_their_cause(service: Service) -> None:
    rows = service.data("/api/restatements")
    assert [row["value_before"] for row in rows] == [2, 1, 0]
    assert (rows[0]["difference"], rows[0]["cause"], rows[0]["table"]) == (1, "late_events", "metric")


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/api/anomalies", {"metric": "clicks"}, "metric"),
        ("/api/anomalies", {"flagged": "yes"}, "flagged"),
        ("/api/anomalies", {"cursor": "bm90"}, "cursor"),
        ("/api/restatements", {"cursor": "WyJ4Il0="}, "cursor"),
        ("/api/restatements", {"limit": "0"}, "limit"),
        ("/api/health", {"since": "x"}, "since"),
    ],
)
def test_a_wrong_parameter_is_named(service: Service, path: str, asked: dict[str, str], field: str) -> None:
    assert service.problem(path, **asked)[:2] == (400, field)


def test_health_needs_a_key_that_may_read(service: Service) -> None:
    assert service.problem("/api/health", key=None)[0] == 401
    assert service.problem("/api/health", key="write")[0] == 403


def test_a_sound_apps_health_is_ok_and_says_how_fresh_each_mart_is(service: Service) -> None:
    data = service.get("/api/health", key="blog").json()["data"]
    assert (data["app_id"], data["status"], data["incidents"], data["tables"]) == ("blog", "ok", [], [])
    tables = service.get("/api/health").json()["data"]["tables"]
    assert [(row["table"], row["granularity"], row["tier"], row["is_late"]) for row in tables] == [
        ("metric", "day", "counts", False)
    ]


def test_health_knows_every_mart() -> None:
    assert sorted(MARTS) == sorted(path.stem for path in (PROJECT / "models" / "marts").glob("*.sql"))


def test_what_is_wrong_is_told_to_those_whom_it_concerns(
    rollups: Any, start_query_service: Callable[[str], Settings]
) -> None:
    keys = make_apps(rollups.address)
    fill(rollups)
    check = {"asset_key": "rollups/daily_metric", "has_passed": False, "severity": "ERROR", "evaluated_at": NOW}
    with psycopg.connect(rollups.address) as connection:
        for name, findings in [("plausible", {"shop": ["day of x"]}), ("general", None)]:
            values = check | {"check_name": name, "findings": findings and Jsonb(findings)}
            connection.execute(
                "insert into rollups.check_result values (%(asset_key)s, %(check_name)s, %(has_passed)s,"
                " %(severity)s, %(findings)s, %(evaluated_at)s)",
                values,
            )
    rollups.execute(
        "insert into control.incident (kind, app_id, subject, title, opened_at) values ('silence', 'shop', 'silent',"
        " 'shop is silent', now()), ('alert', 'rival', 'a', 'rival: x', now())"
    )
    rollups.execute("update rollups.periods set dirty_since = now() - interval '1 hour' where app_id = 'shop'")
    row = {"app_id": "shop", "hour": NOW.replace(minute=0, second=0, microsecond=0), "outcome": "quarantined"}
    rollups.insert("rollups.ingest_reason", row | {"reason": "too_old", "events": 7, "lake_version": 1})
    anomaly(rollups, NOW - HOUR)
    settings = start_query_service(rollups.address)
    service = Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)
    shop, blog = (service.get("/api/health", key=key).json()["data"] for key in ("read", "blog"))
    assert (shop["status"], shop["quarantine"], len(shop["anomalies"])) == ("failing", {"too_old": 7}, 1)
    assert [(one["check"], one["findings"]) for one in shop["checks"]["failing"]] == [
        ("general", []),
        ("plausible", ["day of x"]),
    ]
    assert [one["title"] for one in shop["incidents"]] == ["shop is silent"]
    late = {mart["mart"] for mart in shop["marts"] if mart["is_late"]}
    assert {"daily_stats", "daily_metrics"} <= late
    assert "hourly_stats" not in late
    assert [one["check"] for one in blog["checks"]["failing"]] == ["general"]
    assert (blog["incidents"], blog["anomalies"], blog["quarantine"]) == ([], [], {})
