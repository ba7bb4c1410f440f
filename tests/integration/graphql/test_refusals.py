"""What `POST /graphql` refuses: wrong arguments, other tenants, hostile documents; and that it says nothing of us."""

from typing import Any

import httpx
import pytest

from tests.graphql_calls import answered, ask, post, refused
from tests.shop_service import Service

pytestmark = pytest.mark.integration

PAGE = "id identifier pageUrl date viewCount uniqueVisitors bounceRate avgSessionDuration computedAt"


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
