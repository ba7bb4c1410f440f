"""`/graphql` of a real query service: the cells of REST, under the names of the platform's users."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from eventmill.control import dashboards, definitions
from eventmill.control.definitions import COHORT
from eventmill.lake import create_tables, lake_directory
from eventmill.settings import Settings
from tests.graphql_calls import answered, ask, post, refused
from tests.lake_of import HandMadeLake, event
from tests.shop_service import COMPLETE, SPAN, Service, fill, make_apps

pytestmark = pytest.mark.integration

RANGE = 'from: "2026-03-07", to: "2026-03-10"'
PAGE = "id identifier pageUrl date viewCount uniqueVisitors bounceRate avgSessionDuration computedAt"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
STEPS = [{"event_type": "page_view"}, {"event_type": "purchase"}]


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Iterator[Service]:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    save(module_rollups)
    settings = start_query_service(module_rollups.address)
    create_tables(settings)
    fill_lake(HandMadeLake(lake_directory(settings)))
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def save(rollups: Any) -> None:
    """A cohort with two cells, and a dashboard."""
    with psycopg.connect(rollups.address) as connection:
        cohort = definitions.create(connection, COHORT, "shop", "Buyers", {"filter": {"event_type": "purchase"}}).id
        dashboards.create(connection, "shop", "Board", [])
    of = {"app_id": "shop", "cohort_id": cohort, "interval_kind": "week", "mode": "on", "recurrence": "first_time"}
    for offset, returned, is_incomplete in [(0, 10, False), (1, 4, True)]:
        cell = {"cohort_date": date(2026, 3, 2), "period_offset": offset, "computed_at": COMPLETE}
        counts = {"cohort_size": 10, "returning_users": returned, "is_incomplete": is_incomplete}
        rollups.insert("rollups.cohort_retention", of | cell | counts)


def fill_lake(lake: HandMadeLake) -> None:
    """Four events of the shop: two pages, one of them seen twice, and a purchase."""
    minute = timedelta(minutes=1)
    lake.append(
        [
            event("1", NOON, anonymous_id="ann", page_url="/a", referrer="https://x.example/", properties='{"a":1}'),
            event("2", NOON + minute, anonymous_id="ann", page_url="/b", device_type="mobile"),
            event("3", NOON + 2 * minute, anonymous_id="bob", user_id="u1", session_id="s1", page_url="/a"),
            event("4", NOON + 3 * minute, anonymous_id="ann", event_type="purchase"),
        ]
    )


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
    of_type = answered(service, f'{{events(eventType: "purchase", {RANGE.replace("-03-", "-11-")}) {{id}}}}')
    assert of_type == []
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


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ("{topPages(limit: 0) {id}}", "limit", "A whole number from 1 to 10000."),
        ("{events(limit: 1000, offset: 1) {id}}", "limit", "limit + offset at most 1000"),
        ("{events(offset: -1) {id}}", "limit", "0 <= offset"),
        ('{events(from: "2026-11-01") {id}}', "to", "Both or neither"),
        ("{cohorts(limit: 5000) {id}}", "limit", "from 1 to 1000"),
        ('{cohortRetention(cohortId: "buyers", interval: "year") {rate}}', "interval", "One of: "),
        ('{pageAnalytics(pageUrl: "/", date: "7 March") {id}}', "date", "YYYY-MM-DD"),
        ('{metrics(dateRange: {from: "2026-03-07", to: "2026-03-07"}) {value}}', "to", "start lies before end"),
        ('{metrics(granularity: "hour") {value}}', "granularity", "One of: day, week, month."),
        ('{metrics(dimensionName: "a b") {value}}', "dimensionName", "The name of a dimension"),
        ('{timeseries(metric: "joy") {value}}', "metrics[0]", "One of: "),
        ('{funnel(steps: ["a"]) {step}}', "steps", "2 to 20 steps"),
        ('{funnel(steps: ["a", 7]) {step}}', "steps[1]", "an object"),
        ("{query(question: 7)}", "question", "An object with metrics."),
        ('{query(question: {metrics: ["joy"]})}', "metrics[0]", "One of: "),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(service: Service, query: str, field: str, rule: str) -> None:
    extensions = refused(service, query)
    assert (extensions["code"], extensions["field"]) == ("BAD_USER_INPUT", field)
    assert rule in extensions["rule"]


@pytest.mark.parametrize(
    "field",
    [
        "topPages%s {id}",
        'pageAnalytics(pageUrl: "/", date: "2026-03-07", %s) {id}',
        "metrics%s {value}",
        "timeseries%s {value}",
        "topEvents%s {events}",
        "uniqueUsers%s {uniqueUsers}",
        "events%s {id}",
        "pageviewEvents%s {id}",
        "cohorts%s {id}",
        'cohortRetention(cohortId: "buyers", %s) {rate}',
        'funnel(steps: ["a", "b"], %s) {step}',
        "counters%s {events5m}",
        "dashboards%s {id}",
        'query(question: {metrics: ["events"], app_id: "APP"})',
    ],
)
def test_another_tenants_app_is_answered_like_a_missing_one(service: Service, field: str) -> None:
    def error(app_id: str) -> str:
        argument = f'appId: "{app_id}"'
        asked = field.replace("%s", argument if "(" in field else f"({argument})").replace("APP", app_id)
        found = ask(service, f"{{{asked}}}")
        assert set(found) == {"data", "errors"}
        return str(found["errors"]).replace(app_id, "APP")

    assert error("rival") == error("nobody")
    assert "'code': 'NOT_FOUND'" in error("rival")


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("em_r_nonsense", 401)])
def test_whoever_has_no_key_is_refused_as_everywhere(service: Service, key: str | None, status: int) -> None:
    response = post(service, {"query": "{apps {appId}}"}, key)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        [{"query": "{apps {appId}}"}],
        [],
        7,
        {},
        {"query": None},
        {"query": ["{apps {appId}}"]},
        {"query": "{apps {appId}}", "variables": []},
        {"query": "{apps {appId}}", "operationName": 7},
    ],
)
def test_what_is_no_operation_is_refused_batches_too(service: Service, body: Any) -> None:
    response = post(service, body)
    [error] = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_any_page_may_send_is_refused(service: Service, media_type: str) -> None:
    headers = {"Authorization": f"Bearer {service.keys['read']}", "Content-Type": media_type}
    response = httpx.post(f"{service.url}/graphql", content=b'{"query": "{apps {appId}}"}', headers=headers)
    assert response.status_code == 400
    assert httpx.get(f"{service.url}/graphql?query={{apps}}", headers=headers).status_code == 405


def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    assert post(service, {"query": "{apps {appId}}", "variables": {"a": "x" * 1024**2}}).status_code == 413


HOSTILE = {
    "deep": "{apps" * 9 + "}" * 9,
    "aliases": "{" + " ".join(f"a{n}: apps {{appId}}" for n in range(200)) + "}",
    "a cycle": "{...A} fragment A on Query {...B} fragment B on Query {...A}",
    "doubling": "{...F0} "
    + " ".join(f"fragment F{n} on Query {{...F{n + 1} ...F{n + 1}}}" for n in range(19))
    + " fragment F19 on Query {apps {appId}}",
    "directives": "{apps {appId " + "@include(if: true) " * 100 + "}}",
    "unknown directives": "{apps {appId " + "@a" * 100 + "}}",
    "a huge list": "{funnel(steps: [" + '"a" ' * 50_000 + "]) {step}}",
    "too many rows": "{" + " ".join(f"a{n}: topPages(limit: 10000) {{{PAGE}}}" for n in range(3)) + "}",
    "a number of many digits": "{topPages(limit: " + "9" * 50_000 + ") {id}}",
    "introspection": "{__schema {types {name fields {name}}}}",
    "a type": '{__type(name: "Query") {name}}',
    "introspection in a fragment": "{...A} fragment A on Query {__schema {types {name}}}",
    "nothing": "{nothing}",
    "a subscription": "subscription {aggregateUpdated {table}}",
    "unfinished": "{apps {appId",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_and_say_nothing_of_us(service: Service, name: str) -> None:
    response = post(service, {"query": HOSTILE[name]})
    found = response.json()
    assert found["data"] is None
    assert response.status_code in {200, 400}
    assert {error["extensions"]["code"] for error in found["errors"]} <= {
        *("BAD_REQUEST", "TOO_LARGE", "TOO_EXPENSIVE", "FORBIDDEN", "SYNTAX")
    }
    assert not [word for word in ("Traceback", "site-packages", "psycopg", "select ") if word in response.text]


@pytest.mark.parametrize("variables", [{"steps": [{"a": {}}] * 3}, {"steps": "a"}, {"steps": None}, {"n": 1e400}])
def test_variables_that_do_not_fit_are_refused(service: Service, variables: dict[str, Any]) -> None:
    query = "query($steps: [StepInput!]!) {funnel(steps: $steps) {step}}"
    body = f'{{"query": "{query}", "variables": {str(variables).replace(chr(39), chr(34)).replace("None", "null")}}}'
    headers = {"Authorization": f"Bearer {service.keys['read']}", "Content-Type": "application/json"}
    response = httpx.post(f"{service.url}/graphql", content=body, headers=headers)
    assert {one["extensions"]["code"] for one in response.json()["errors"]} <= {"BAD_REQUEST", "BAD_USER_INPUT"}


def test_admin_keys_may_ask_for_the_schema(service: Service) -> None:
    found = answered(service, '{__type(name: "LiveMetrics") {fields {name}}}', "admin")
    assert [one["name"] for one in found["fields"]][:2] == ["timestamp", "pageviews"]


def test_a_write_key_reads_nothing(service: Service) -> None:
    assert refused(service, "{apps {appId}}", "write")["code"] == "FORBIDDEN"


def test_events_go_nowhere_while_the_gateway_is_away(service: Service) -> None:
    extensions = refused(service, 'mutation {trackEvents(events: [{type: "a"}]) {success}}', "write")
    assert (extensions["code"], extensions["retry_after"]) == ("UNAVAILABLE", 2)
