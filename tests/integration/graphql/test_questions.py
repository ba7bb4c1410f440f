"""`POST /graphql`: the cells of REST, under the names of the platform's users."""

from typing import Any

import httpx
import pytest

from tests.graphql_calls import answered, ask
from tests.shop_service import SPAN, Service

pytestmark = pytest.mark.integration

RANGE = 'from: "2026-03-07", to: "2026-03-10"'
PAGE = "id identifier pageUrl date viewCount uniqueVisitors bounceRate avgSessionDuration computedAt"
STEPS = [{"event_type": "page_view"}, {"event_type": "purchase"}]
FOUR_DAYS_OF_NOVEMBER = 'from: "2026-11-01", to: "2026-11-04"'


def v2(service: Service, **question: Any) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {service.keys['read']}"}
    response = httpx.post(f"{service.url}/api/v2/query", json=question, headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


def rest(service: Service, path: str, **parameters: Any) -> list[dict[str, Any]]:
    return service.data(path, **parameters)


def renamed(rows: list[dict[str, Any]], **names: str) -> list[dict[str, Any]]:
    """Rows with the columns that are named, by their names here."""
    return [{name: row[column] for name, column in names.items()} for row in rows]


def test_apps_are_those_of_the_key(service: Service) -> None:
    found = answered(service, "{apps {appId name timeZone lastEventAt silentSince}}", "both")
    columns = {"appId": "app_id", "name": "name", "timeZone": "time_zone", "silentSince": "silent_since"}
    rows = rest(service, "/api/apps", key="both")
    assert found == renamed(rows, **columns, lastEventAt="last_event_at")


def test_top_pages_are_days_of_pages_over_all_dates(service: Service) -> None:
    found = answered(service, f"{{topPages {{{PAGE}}}}}")
    assert [(one["pageUrl"], one["date"], one["viewCount"]) for one in found] == [
        ("/", "2026-03-08", 3),
        ("/", "2026-03-07", 3),
        ("/cart", "2026-03-08", 2),
        ("/cart", "2026-03-07", 2),
    ]
    assert found[0]["identifier"] == "/|2026-03-08"


def test_pages_have_the_cells_of_rest(service: Service) -> None:
    found = answered(service, f"{{topPages({RANGE}) {{{PAGE}}}}}")
    columns = {"pageUrl": "page_url", "date": "date", "viewCount": "view_count", "uniqueVisitors": "unique_visitors"}
    columns |= {"bounceRate": "bounce_rate", "avgSessionDuration": "avg_session_duration"}
    cells = renamed(found, **{name: name for name in columns})
    in_order = sorted(cells, key=lambda one: (one["date"], one["viewCount"]), reverse=True)
    assert in_order == renamed(rest(service, "/api/pages", **SPAN), **columns)


def test_a_page_on_a_day_is_one_row_or_null(service: Service) -> None:
    on = f'{{pageAnalytics(pageUrl: "/", date: "2026-03-07") {{{PAGE}}}}}'
    [whole] = answered(service, f'{{topPages(limit: 1, from: "2026-03-07", to: "2026-03-08") {{{PAGE}}}}}')
    assert answered(service, on) == whole
    assert answered(service, on.replace("2026-03-07", "2026-03-09")) is None


def test_metrics_are_rows_of_the_mart(service: Service) -> None:
    asked = 'metrics(appId: "shop", dateRange: {from: "2026-03-07", to: "2026-03-10"}'
    found = answered(service, f"{{{asked}) {{metricType value dimension date}}}}")
    days = rest(service, "/api/metrics/daily", **SPAN)
    events = [(one["date"], one["value"], one["dimension"]) for one in found if one["metricType"] == "events"]
    assert events == [(day["date"], day["events"], "all") for day in days]
    by_source = answered(service, f'{{{asked}, metricType: "events", dimensionName: "source") {{value dimension}}}}')
    assert [(one["dimension"], one["value"]) for one in by_source] == [
        *(("server", 1), ("web", 8)),
        *(("server", 1), ("web", 3)),
    ]


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        ("", {"metrics": ["events"], "granularity": "auto"}),
        (RANGE, {"metrics": ["events"], "date_range": ["2026-03-07", "2026-03-10"], "granularity": "auto"}),
        (
            f'{RANGE}, metric: "bounce_rate", granularity: "day"',
            {"metrics": ["bounce_rate"], "date_range": ["2026-03-07", "2026-03-10"], "granularity": "day"},
        ),
        (
            f'{RANGE}, eventType: "purchase", granularity: "day"',
            {
                "metrics": ["events"],
                "filters": [["is", "event_type", ["purchase"]]],
                "date_range": ["2026-03-07", "2026-03-10"],
                "granularity": "day",
            },
        ),
    ],
)
def test_a_timeseries_has_the_cells_of_rest(service: Service, arguments: str, question: dict[str, Any]) -> None:
    given = f'(appId: "shop", {arguments})' if arguments else ""
    found = answered(service, f"{{timeseries{given} {{timestamp value}}}}")
    [metric] = question["metrics"]
    assert found == renamed(v2(service, **question), timestamp="timestamp", value=metric)


def test_people_and_top_events_have_the_cells_of_rest(service: Service) -> None:
    day = ["2026-03-07", "2026-03-08"]
    found = ask(
        service,
        """{
            topEvents(from: "2026-03-07", to: "2026-03-08") {eventName events uniqueUsers}
            uniqueUsers(from: "2026-03-07", to: "2026-03-08") {uniqueUsers uniqueVisitors uniqueSessions}
        }""",
    )
    top = v2(service, metrics=["events", "unique_users"], dimensions=["event_name"], date_range=day)
    people = v2(service, metrics=["unique_users", "unique_visitors", "unique_sessions"], date_range=day)
    names = {"uniqueUsers": "unique_users", "uniqueVisitors": "unique_visitors", "uniqueSessions": "unique_sessions"}
    assert found["data"] == {
        "topEvents": renamed(top, eventName="event_name", events="events", uniqueUsers="unique_users"),
        "uniqueUsers": renamed(people, **names)[0],
    }


def test_any_question_has_the_rows_of_rest(service: Service) -> None:
    question = {"metrics": ["events", "page_views"], "date_range": ["2026-03-07", "2026-03-10"], "granularity": "day"}
    found = answered(service, "query($question: JSON!) {query(question: $question)}", question=question)
    assert found == v2(service, **question)


def test_cohorts_have_the_cells_of_rest(service: Service) -> None:
    found = answered(service, "{cohorts {id identifier name filter userCount retentionRate createdAt}}")
    columns = {"id": "id", "identifier": "identifier", "name": "name", "filter": "filter", "userCount": "user_count"}
    rows = rest(service, "/api/cohorts")
    assert found == renamed(rows, **columns, retentionRate="retention_rate", createdAt="created_at")


def test_retention_has_the_cells_of_rest(service: Service) -> None:
    fields = "dayOffset date returningUsers rate incomplete"
    found = answered(service, f'{{cohortRetention(cohortId: "buyers", interval: "week") {{{fields}}}}}')
    rows = rest(service, "/api/cohorts/buyers/retention", interval="week")
    columns = {"date": "cohort_date", "returningUsers": "returning_users", "rate": "retention_rate"}
    expected = renamed(rows, **columns, incomplete="is_incomplete")
    assert [one.pop("dayOffset") for one in found] == [0, 7]
    assert found == expected


def test_events_have_the_cells_of_rest(service: Service) -> None:
    fields = "id eventType userId sessionId device metadata timestamp"
    found = answered(service, f'{{events(appId: "shop") {{{fields}}}}}', "admin")
    rows = rest(service, "/api/events", key="admin", start="2026-11-01", end="2026-11-03")
    columns = {"id": "event_id", "eventType": "event_type", "userId": "user_id", "sessionId": "session_id"}
    assert found == renamed(rows, **columns, device="device_type", metadata="properties", timestamp="timestamp")
    assert [one["id"] for one in found] == ["4", "3", "2", "1"]


def test_events_are_filtered_and_paged(service: Service) -> None:
    of_november = f'{{events(eventType: "purchase", {FOUR_DAYS_OF_NOVEMBER}) {{id}}}}'
    assert [one["id"] for one in answered(service, of_november)] == ["4"]
    assert answered(service, of_november.replace("-11-", "-10-")) == []
    assert [one["id"] for one in answered(service, '{events(eventType: "page_view") {id}}')] == ["3", "2", "1"]
    assert [one["id"] for one in answered(service, "{events(limit: 2, offset: 1) {id}}")] == ["3", "2"]


def test_pageview_events_are_those_of_a_page(service: Service) -> None:
    fields = "id identifier sessionId pageUrl referrer recordedAt properties"
    [last, first] = answered(service, f'{{pageviewEvents(pageUrl: "/a") {{{fields}}}}}', "admin")
    assert first == {
        "id": "1",
        "identifier": "1",
        "sessionId": None,
        "pageUrl": "/a",
        "referrer": "https://x.example/",
        "recordedAt": "2026-11-02T07:00:00-05:00",
        "properties": {"a": 1},
    }
    assert (last["id"], last["sessionId"]) == ("3", "s1")


def test_people_are_shown_to_whoever_may_see_them(service: Service) -> None:
    of_people = "{events {userId anonymousId sessionId}}"
    hidden = {"userId": None, "anonymousId": None, "sessionId": None}
    assert answered(service, of_people) == [hidden] * 4
    assert {"userId": "u1", "anonymousId": "bob", "sessionId": "s1"} in answered(service, of_people, "admin")


@pytest.mark.parametrize("steps", [["page_view", "purchase"], STEPS])
def test_a_funnel_has_the_cells_of_rest(service: Service, steps: list[Any]) -> None:
    asked = 'query($steps: [StepInput!]!) {funnel(steps: $steps, from: "2026-11-01", to: "2026-11-04")'
    found = answered(service, f"{asked} {{step users dropoffPercent conversionFromStart}}}}", steps=steps)
    headers = {"Authorization": f"Bearer {service.keys['read']}"}
    body = {"steps": STEPS, "from": "2026-11-01T04:00:00Z", "to": "2026-11-04T05:00:00Z"}
    rows = httpx.post(f"{service.url}/api/funnels/query", json=body, headers=headers, timeout=30).json()["data"]
    columns = {"step": "step", "users": "users", "dropoffPercent": "dropoff_percent"}
    assert found == renamed(rows, **columns, conversionFromStart="conversion_from_start")
    assert [one["users"] for one in found] == [2, 1]


def test_dashboards_and_counters_are_those_of_rest(service: Service) -> None:
    found = ask(service, "{dashboards {id name widgets createdAt updatedAt} counters {events5m activeUsers5m}}")["data"]
    columns = {"id": "id", "name": "name", "widgets": "widgets", "createdAt": "created_at", "updatedAt": "updated_at"}
    assert found["dashboards"] == renamed(rest(service, "/api/dashboards"), **columns)
    assert found["counters"] == {"events5m": 0, "activeUsers5m": 0}


def test_an_answer_says_what_it_rests_on(service: Service) -> None:
    found = ask(service, f"{{days: topPages({RANGE}) {{id}} {'apps {appId}'}}}")["extensions"]["meta"]
    expected = service.get("/api/pages", **SPAN).json()["meta"]
    assert set(found) == {"days"}
    assert {**found["days"], "as_of": None} == {**expected, "as_of": None}


def test_a_question_that_fails_leaves_its_neighbours(service: Service) -> None:
    found = ask(service, '{apps {appId} topPages(from: "yesterday") {id}}')
    assert found["data"] == {"apps": [{"appId": "shop"}], "topPages": None}
    [error] = found["errors"]
    assert (error["path"], error["extensions"]["field"]) == (["topPages"], "from")
