"""The lake's endpoints as users meet them: funnels and retention nobody saved, events, people; and who may see what."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from eventmill.contracts.visitors import DAILY_ID_PREFIX
from eventmill.lake import create_tables, lake_directory
from eventmill.settings import Settings
from tests.lake_of import HandMadeLake, event
from tests.shop_service import Service, make_apps

pytestmark = pytest.mark.integration
NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
STEPS = [{"event_type": "page_view"}, {"event_type": "purchase"}]


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Iterator[Service]:
    keys = make_apps(module_rollups.address)
    settings = start_query_service(module_rollups.address)
    create_tables(settings)
    lake = HandMadeLake(lake_directory(settings))
    minute = timedelta(minutes=1)
    for app_id in ("shop", "rival"):
        lake.append(
            [
                event(f"{app_id}-1", NOON, app_id=app_id, anonymous_id="ann", page_url="/a", country="DE"),
                event(f"{app_id}-2", NOON + minute, app_id=app_id, anonymous_id="ann", event_type="purchase"),
                event(f"{app_id}-3", NOON + 2 * minute, app_id=app_id, anonymous_id="bob", page_url="/b"),
                event(f"{app_id}-3", NOON + 2 * minute, app_id=app_id, anonymous_id="bob", page_url="/b"),
                event(f"{app_id}-4", NOON + 3 * minute, app_id=app_id, user_id="cy", is_bot=True),
            ]
        )
    # The blog's visitors are without cookies: an id for each day.
    lake.append(
        [
            event("blog-1", NOON, app_id="blog", anonymous_id=f"{DAILY_ID_PREFIX}1"),
            event("blog-2", NOON + timedelta(days=1), app_id="blog", anonymous_id=f"{DAILY_ID_PREFIX}2"),
        ]
    )
    day = {"local_date": NOON.date(), "period_start": NOON.replace(hour=0), "traffic": "human", "visitors": 1}
    module_rollups.insert("rollups.daily_visitor", day | {"app_id": "blog", "computed_at": NOON})
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def post(service: Service, path: str, body: Any, key: str = "read") -> httpx.Response:
    headers = {"Authorization": f"Bearer {service.keys.get(key, key)}"}
    return httpx.post(service.url + path, headers=headers, json=body, timeout=30)


def test_a_funnel_that_nobody_saved_is_computed(service: Service) -> None:
    answer = post(service, "/api/funnels/query", {"steps": STEPS}).json()
    assert [row["users"] for row in answer["data"]] == [2, 1]
    assert answer["data"][1]["conversion_from_start"] == 50.0
    assert answer["meta"]["source"] == "lake"
    assert answer["meta"]["exact"]


def test_retention_that_nobody_saved_is_computed(service: Service) -> None:
    body = {"filter": {"event_type": "page_view"}, "return_event": "any", "interval": "day"}
    answer = post(service, "/api/retention/query", body).json()
    assert answer["data"][0]["cohort_size"] == 2
    assert answer["data"][0]["returning_users"] == 1
    assert answer["meta"]["user_count"] == 2


def test_retention_leaves_visitors_with_ids_of_a_day_out_and_says_how_many(service: Service) -> None:
    body = {"filter": {"event_type": "page_view"}, "return_event": "any", "interval": "day"}
    answer = post(service, "/api/retention/query", body, "blog").json()
    assert answer["data"] == []
    assert (answer["meta"]["user_count"], answer["meta"]["daily_visitors"]) == (0, 2)


def test_visitors_with_ids_of_a_day_hold_per_day_in_the_lake_too(service: Service) -> None:
    scopes = []
    for granularity in (None, "day"):
        asked = {"metrics": ["unique_visitors"], "date_range": "7d", "granularity": granularity}
        asked["filters"] = [["is", "event_type", ["page_view", "screen_view"]]]
        meta = post(service, "/api/v2/query", asked, "blog").json()["meta"]
        scopes.append((meta["source"], meta["uniques_scope"]))
    assert scopes == [("lake", "daily"), ("lake", None)]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/funnels/query", {"steps": STEPS[:1]}, "steps"),
        ("/api/funnels/query", {"steps": STEPS, "window": "1"}, "window"),
        ("/api/retention/query", {"filter": {"event_type": "a"}, "interval": "year"}, "interval"),
        ("/api/retention/query", {"filter": {}}, "filter"),
        ("/api/funnels/query", [], "body"),
    ],
)
def test_what_breaks_a_rule_is_named(service: Service, path: str, body: Any, field: str) -> None:
    response = post(service, path, body)
    assert response.status_code == 400
    assert response.json()["field"] == field


def test_events_come_newest_first_and_in_pages(service: Service) -> None:
    answer = service.get("/api/events", limit=3).json()
    assert [row["event_id"] for row in answer["data"]] == ["shop-4", "shop-3", "shop-2"]
    rest = service.get("/api/events", limit=3, cursor=answer["meta"]["next_cursor"]).json()
    assert [row["event_id"] for row in rest["data"]] == ["shop-1"]
    assert rest["meta"]["next_cursor"] is None
    chosen = service.data("/api/events", event_type="page_view", filters=json.dumps([["is", "country", ["DE"]]]))
    assert [row["event_id"] for row in chosen] == ["shop-1"]


def test_only_who_may_see_people_sees_ids(service: Service) -> None:
    assert {row["anonymous_id"] for row in service.data("/api/events")} == {None}
    assert {row["anonymous_id"] for row in service.data("/api/events", key="admin")} == {"ann", "bob", None}
    funnel = {"of": "funnel", "definition": {"steps": STEPS}, "step": 2}
    assert post(service, "/api/people/query", funnel).status_code == 403
    found = post(service, "/api/people/query", funnel, "admin").json()
    assert [row["anonymous_id"] for row in found["data"]] == ["ann"]
    assert found["meta"]["total"] == 1
    person = found["data"][0]["person"]
    assert service.get(f"/api/people/{person}/events").status_code == 403
    events = service.data(f"/api/people/{person}/events", key="admin")
    assert [row["event_id"] for row in events] == ["shop-2", "shop-1"]


def test_a_question_that_only_the_lake_knows_is_answered(service: Service) -> None:
    asked = {"metrics": ["events", "unique_visitors"], "filters": [["is", "page_url", ["/a", "/b"]]]}
    hours = [(NOON - timedelta(minutes=30)).isoformat(), (NOON + timedelta(hours=1)).isoformat()]
    answer = post(service, "/api/v2/query", asked | {"date_range": hours}).json()
    assert answer["data"] == [{"events": 2, "unique_visitors": 2}]
    assert answer["meta"]["source"] == "lake"


def test_another_tenant_s_app_is_as_good_as_none(service: Service) -> None:
    bodies = {
        "/api/funnels/query": {"steps": STEPS},
        "/api/retention/query": {"filter": {"event_type": "page_view"}},
        "/api/people/query": {"of": "funnel", "definition": {"steps": STEPS}},
        "/api/v2/query": {"metrics": ["events"], "filters": [["is_set", "properties.a"]]},
    }
    for path, body in bodies.items():
        found = {app_id: post(service, path, body | {"app_id": app_id}, "admin") for app_id in ("rival", "no-such")}
        assert {response.status_code for response in found.values()} == {404}, path
        assert found["rival"].json()["title"] == found["no-such"].json()["title"]
    for path in ("/api/events", "/api/people/YWFubg/events"):
        assert service.get(path, key="admin", app_id="rival").status_code == 404


def test_a_cursor_of_one_list_is_none_of_another(service: Service) -> None:
    asked = {"of": "funnel", "definition": {"steps": STEPS}, "limit": 1}
    cursor = post(service, "/api/people/query", asked, "admin").json()["meta"]["next_cursor"]
    assert len(post(service, "/api/people/query", asked | {"cursor": cursor}, "admin").json()["data"]) == 1
    other = post(service, "/api/people/query", asked | {"cursor": cursor, "step": 2}, "admin")
    assert (other.status_code, other.json()["field"]) == (400, "cursor")


def test_who_leaves_takes_the_question_along(service: Service) -> None:
    async def leave() -> None:
        headers = {"Authorization": f"Bearer {service.keys['read']}"}
        async with httpx.AsyncClient(headers=headers) as client:
            asked = asyncio.create_task(client.post(f"{service.url}/api/funnels/query", json={"steps": STEPS}))
            await asyncio.sleep(0.002)
            asked.cancel()

    asyncio.run(leave())
    assert post(service, "/api/funnels/query", {"steps": STEPS}).status_code == 200
    text = httpx.get(f"{service.url}/metrics").text
    assert 'eventmill_query_lake_jobs_total{outcome="answered"}' in text
