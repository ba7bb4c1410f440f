"""Saved definitions over HTTP: who may change them, what is refused, and results in every documented shape."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from eventmill.control import definitions
from eventmill.control.definitions import COHORT, FUNNEL, GOAL
from eventmill.settings import Settings
from tests.shop_service import Service, make_apps

pytestmark = pytest.mark.integration

COMPUTED = datetime(2026, 3, 9, 12, tzinfo=UTC)
STEPS = {"steps": [{"event_type": "page_view"}, {"event_type": "purchase"}], "days": 7}
RESULT = {"app_id": "shop", "lake_version": 5, "definition_version": "d1", "complete_through": COMPUTED}


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Service:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def fill(rollups: Any) -> None:
    """One definition of each kind with results."""
    purchase = {"filter": {"event_type": "purchase"}}
    with psycopg.connect(rollups.address) as connection:
        goal = definitions.create(connection, GOAL, "shop", "Bought", purchase).id
        cohort = definitions.create(connection, COHORT, "shop", "Buyers", purchase).id
        funnel = definitions.create(connection, FUNNEL, "shop", "Checkout", STEPS).id
        definitions.create(connection, COHORT, "rival", "Secret", purchase)
    day = {"app_id": "shop", "local_date": date(2026, 3, 7), "period_start": COMPUTED - timedelta(days=2)}
    total = {"traffic": "human", "dimension": "total", "value_kind": "total", "computed_at": COMPUTED}
    rollups.insert("rollups.goal_metric", day | total | {"goal_id": goal, "events": 5, "visitors": 2, "sessions": 1})
    started = {"sessions_started": 4, "sessions_with_views": 4, "bounces": 0, "views": 9, "events": 9}
    rest = {"grain": "day", "utc_offset_minutes": -300, "duration_seconds": 1.0}
    rollups.insert("rollups.session_metric", day | total | rest | started)
    size = {"user_count": 1500, "retention_rate": 60.004, "daily_visitors": 3, "is_exact": False}
    rollups.insert("rollups.cohort", RESULT | size | {"cohort_id": cohort, "computed_at": COMPUTED})
    for week, size, returned, is_incomplete in [(2, 1000, 500, False), (9, 500, 400, False), (16, 900, 9, True)]:
        of = {"app_id": "shop", "cohort_id": cohort, "interval_kind": "week", "mode": "on", "recurrence": "first_time"}
        cell = {"cohort_date": date(2026, 3, week), "period_offset": 1, "computed_at": COMPUTED}
        counts = {"cohort_size": size, "returning_users": returned, "is_incomplete": is_incomplete}
        rollups.insert("rollups.cohort_retention", of | cell | counts)
    for step_no, users, median in [(1, 8, None), (2, 2, 30.0)]:
        of = {"funnel_id": funnel, "breakdown_kind": "total", "step_no": step_no, "step_name": f"step {step_no}"}
        counts = {"users": users, "in_progress": 1, "median_seconds": median, "mean_seconds": median}
        span = {"range_from": day["period_start"], "range_to": COMPUTED, "window_seconds": 60}
        rollups.insert("rollups.funnel_step", RESULT | of | counts | span | {"computed_at": COMPUTED})


def send(service: Service, method: str, path: str, key: str = "admin", **request: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {service.keys[key]}"}
    return httpx.request(method, service.url + path, headers=headers, **request)


def test_cohorts_are_listed_with_their_size_and_retention(service: Service) -> None:
    [row] = service.data("/api/cohorts")
    assert datetime.fromisoformat(row.pop("created_at")).tzinfo is not None
    assert len(row.pop("id")) == 36
    assert row == {
        "identifier": "buyers",
        "name": "Buyers",
        "filter": {"event_type": "purchase"},
        "user_count": 1500,
        "retention_rate": 60.0,
    }


@pytest.mark.parametrize("path", ["/api/cohorts/buyers/retention", "/api/retention?cohort_id=buyers"])
def test_retention_is_pooled_over_complete_periods(service: Service, path: str) -> None:
    answer = httpx.get(service.url + path, headers={"Authorization": f"Bearer {service.keys['read']}"}).json()
    assert [(row["cohort_date"], row["retention_rate"], row["is_incomplete"]) for row in answer["data"]] == [
        ("2026-03-02", 50.0, False),
        ("2026-03-09", 80.0, False),
        ("2026-03-16", 1.0, True),
    ]
    meta = answer["meta"]
    pooled = {"period_offset": 1, "cohort_size": 1500, "returning_users": 900, "retention_rate": 60.0}
    assert meta["averages"] == [pooled]
    assert (meta["exact"], meta["daily_visitors"], meta["definition_version"]) == (False, 3, "d1")
    assert (meta["as_of"], meta["complete_through"]) == ("2026-03-09T12:00:00Z", "2026-03-09T12:00:00Z")


def test_a_funnel_has_rates_between_its_steps(service: Service) -> None:
    first, second = service.data("/api/funnels/checkout")
    assert (first["users"], first["conversion_from_start"], first["conversion_from_previous"]) == (8, 100.0, None)
    assert second == {
        "breakdown_kind": "total",
        "breakdown_value": "",
        "step": 2,
        "name": "step 2",
        "users": 2,
        "conversion_from_start": 25.0,
        "conversion_from_previous": 25.0,
        "dropoff_percent": 75.0,
        "in_progress": 1,
        "median_seconds": 30.0,
        "mean_seconds": 30.0,
    }


def test_a_goal_converts_sessions_by_day(service: Service) -> None:
    answer = service.get("/api/goals/bought", start="2026-03-01", end="2026-03-10").json()
    counts = {"events": 5, "visitors": 2, "sessions_with_goal": 1, "sessions": 4, "conversion_rate": 25.0}
    assert answer["data"] == [{"date": "2026-03-07", **counts}]
    assert answer["meta"]["definition"] == {"filter": {"event_type": "purchase"}}
    assert answer["meta"]["range"]["time_zone"] == "America/New_York"


def test_definitions_are_saved_and_deleted_with_an_admin_key(service: Service) -> None:
    body = {"name": "Sign-ups", "filter": {"event_type": "signup"}}
    for path in ("/api/goals", "/api/cohorts"):
        made = send(service, "POST", path, json=body)
        assert made.status_code == 201
        [row] = made.json()["data"]
        assert (row["identifier"], row["name"], row["filter"]) == ("sign-ups", "Sign-ups", {"event_type": "signup"})
        assert send(service, "DELETE", f"{path}/{row['id']}").status_code == 204
        assert service.problem(f"{path}/{row['id']}")[:2] == (404, "id")


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/goals"), ("DELETE", "/api/cohorts/buyers")])
def test_a_read_key_changes_nothing(service: Service, method: str, path: str) -> None:
    refused = send(service, method, path, "read", json={})
    assert refused.status_code == 403
    assert "admin key" in refused.json()["rule"]


@pytest.mark.parametrize("path", ["/api/cohorts/secret", "/api/cohorts/secret/retention", "/api/cohorts/%00"])
def test_what_another_app_saved_does_not_exist(service: Service, path: str) -> None:
    assert service.problem(path)[:2] == (404, "id")
    assert send(service, "DELETE", "/api/cohorts/secret").status_code == 404


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        ("/api/goals", b"no", "body"),
        ("/api/goals", b"[]", "body"),
        ("/api/goals", b" " * 70_000, "body"),
        ("/api/goals", b"[" * 60_000, "body"),
        ("/api/goals", b'{"filter": {"event_type": "x"}}', "name"),
        ("/api/goals", b'{"name": "Bought", "filter": {"event_type": "x"}}', "name"),
        ("/api/goals", b'{"name": "x", "filter": {"filters": [["is", "colour", ["x"]]]}}', "filter.filters[0][1]"),
        ("/api/cohorts", b'{"name": "x", "filter": {"event_type": "x"}, "at_least": "2"}', "at_least"),
        ("/api/funnels", b'{"name": "x", "steps": []}', "steps"),
        (
            "/api/funnels",
            b'{"name": "x", "steps": [{"event_type": "a"}, {"event_type": "b"}], "from": "0001-01-01T00:00:00+14:00"}',
            "from",
        ),
        ("/api/funnels?name=x", b"{}", "name"),
    ],
)
def test_a_wrong_body_is_refused_naming_the_field(service: Service, path: str, content: bytes, field: str) -> None:
    refused = send(service, "POST", path, content=content)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert refused.json()["rule"]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/api/cohorts/buyers/retention", {"interval": "hour"}, "interval"),
        ("/api/cohorts/buyers/retention", {"mode": "rolling"}, "mode"),
        ("/api/retention", {}, "cohort_id"),
        ("/api/goals/bought", {"start": "soon"}, "start"),
    ],
)
def test_a_wrong_parameter_is_named(service: Service, path: str, asked: dict[str, str], field: str) -> None:
    assert service.problem(path, **asked)[:2] == (400, field)
