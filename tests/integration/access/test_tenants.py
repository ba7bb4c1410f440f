"""What is another tenant's is answered exactly like what is not there: every endpoint, id, cursor and subscription."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

from eventmill.control import alerts, annotations, dashboards, definitions, keys, webhooks
from eventmill.control.definitions import COHORT, FUNNEL, GOAL
from tests.shop_service import COMPLETE, Service

pytestmark = pytest.mark.integration

NAME = {"name": "A"}
FILTER = {"filter": {"event_type": "purchase"}}
STEPS = {"steps": [{"event_type": "page_view"}, {"event_type": "purchase"}], "days": 7}
NOTE = {"text": "A"}
ALERT = {"name": "A", "metric": "events", "comparison": "above", "threshold": 1}
VERSION = {"If-Match": '"1"'}
RULE = {"metric": "events", "dimension": "total", "value": None, "comparison": "above", "threshold": 1.0}
RULE |= {"period": "hour", "for_minutes": 0, "takes_incomplete": False}
MISSING_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Row:
    """How an endpoint is asked: a body, headers, and what a part of its path, or a parameter, names.

    `body_app`: the app is in the body. `is_in_lake`: what a part names is a value in the lake and has no existence of
    its own. `no_tenant` says why there is nothing of a tenant to ask for.
    """

    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    body_app: bool = False
    is_in_lake: bool = False
    no_tenant: str = ""


def of(part: str, kind: str, **row: Any) -> Row:
    return Row(parts={part: kind}, **row)


# Every operation of the OpenAPI schema has a row here: a new one without fails the first test below.
MATRIX: dict[str, Row] = {
    "GET /api/accounting": Row(),
    "GET /api/alerts": Row(),
    "POST /api/alerts": Row(ALERT),
    "GET /api/alerts/{alert_id}": of("alert_id", "alert"),
    "PUT /api/alerts/{alert_id}": of("alert_id", "alert", body=ALERT),
    "DELETE /api/alerts/{alert_id}": of("alert_id", "alert"),
    "GET /api/annotations": Row(),
    "POST /api/annotations": Row(NOTE),
    "GET /api/annotations/{annotation_id}": of("annotation_id", "annotation"),
    "PUT /api/annotations/{annotation_id}": of("annotation_id", "annotation", body=NOTE),
    "DELETE /api/annotations/{annotation_id}": of("annotation_id", "annotation"),
    "GET /api/anomalies": Row(),
    "GET /api/apps": Row(no_tenant="lists what the key covers"),
    "GET /api/audit": Row(),
    "GET /api/cohorts": Row(),
    "POST /api/cohorts": Row(NAME | FILTER),
    "GET /api/cohorts/{reference}": of("reference", "cohort"),
    "DELETE /api/cohorts/{reference}": of("reference", "cohort"),
    "GET /api/cohorts/{reference}/retention": of("reference", "cohort"),
    "GET /api/dashboards": Row(),
    "POST /api/dashboards": Row(NAME),
    "GET /api/dashboards/{dashboard_id}": of("dashboard_id", "dashboard"),
    "PUT /api/dashboards/{dashboard_id}": of("dashboard_id", "dashboard", body=NAME, headers=VERSION),
    "DELETE /api/dashboards/{dashboard_id}": of("dashboard_id", "dashboard"),
    "GET /api/dashboards/{dashboard_id}/shares": of("dashboard_id", "dashboard"),
    "POST /api/dashboards/{dashboard_id}/shares": of("dashboard_id", "dashboard", body={}),
    "DELETE /api/dashboards/{dashboard_id}/shares/{share_id}": Row(
        parts={"dashboard_id": "dashboard", "share_id": "share"}
    ),
    "GET /api/events": Row(),
    "GET /api/funnels": Row(),
    "POST /api/funnels": Row(NAME | STEPS),
    "POST /api/funnels/query": Row(STEPS, body_app=True),
    "GET /api/funnels/{reference}": of("reference", "funnel"),
    "DELETE /api/funnels/{reference}": of("reference", "funnel"),
    "GET /api/goals": Row(),
    "POST /api/goals": Row(NAME | FILTER),
    "GET /api/goals/{reference}": of("reference", "goal"),
    "DELETE /api/goals/{reference}": of("reference", "goal"),
    "GET /api/health": Row(),
    "GET /api/keys": Row(),
    "POST /api/keys": Row({"kind": "read"}),
    "DELETE /api/keys/{key_id}": of("key_id", "key"),
    "POST /api/keys/{key_id}/rotate": of("key_id", "key", body={}),
    "GET /api/live": Row(),
    "GET /api/metrics": Row(no_tenant="describes the program"),
    "GET /api/metrics/daily": Row(),
    "GET /api/metrics/terms": Row(no_tenant="describes the program"),
    "GET /api/metrics/timeseries": Row(),
    "GET /api/metrics/today": Row(),
    "GET /api/pages": Row(),
    "GET /api/pages/top": Row(),
    "POST /api/people/query": Row({"of": "cohort", "definition": FILTER}, body_app=True),
    "GET /api/people/{person}/events": of("person", "person", is_in_lake=True),
    "GET /api/quarantine": Row(),
    "GET /api/restatements": Row(),
    "GET /api/retention": Row(parameters={"cohort_id": "cohort"}),
    "POST /api/retention/query": Row(FILTER, body_app=True),
    "GET /api/shared/{token}": Row(no_tenant="the token is the credential; test_dashboard_api.py holds it to one"),
    "GET /api/shared/{token}/metrics": Row(no_tenant="as above"),
    "GET /api/shared/{token}/metrics/terms": Row(no_tenant="as above"),
    "POST /api/shared/{token}/widgets/{place}": Row(no_tenant="as above"),
    "POST /api/v2/query": Row({"metrics": ["events"]}, body_app=True),
    "GET /auth/callback": Row(no_tenant="makes a credential"),
    "GET /auth/login": Row(no_tenant="makes a credential"),
    "POST /auth/logout": Row(no_tenant="ends the browser's own session"),
    "GET /auth/session": Row(no_tenant="tells of the browser's own session"),
    "GET /health/live": Row(no_tenant="tells of the process"),
    "GET /health/ready": Row(no_tenant="tells of the process"),
}


@dataclass(frozen=True)
class Tenants:
    """The service, and what the rival has: its ids by kind."""

    service: Service
    client: httpx.Client
    rival: dict[str, str]

    def ask(self, operation: str, app_id: str | None, ids: dict[str, str]) -> tuple[int, str]:
        """Status and body of an operation asked with the shop's admin key; ids and app are made the same in it."""
        row = MATRIX[operation]
        method, path = operation.split(" ")
        for part, kind in row.parts.items():
            path = path.replace(f"{{{part}}}", ids[kind])
        body = row.body if not row.body_app else (row.body or {}) | ({"app_id": app_id} if app_id else {})
        headers = {"Authorization": f"Bearer {self.service.keys['admin']}"} | row.headers
        asked = {} if app_id is None or row.body_app else {"app_id": app_id}
        asked |= {name: ids[kind] for name, kind in row.parameters.items()}
        answer = self.client.request(method, path, headers=headers, params=asked, json=body)
        text = answer.text
        for one in (*ids.values(), *([app_id] if app_id else [])):
            text = text.replace(one, "…")
        return answer.status_code, text


@pytest.fixture(scope="module")
def tenants(service: Service, client: httpx.Client, session_rollups: Any) -> Tenants:
    with psycopg.connect(session_rollups.address) as connection:
        purchase = {"filter": {"event_type": "purchase"}}
        board = dashboards.create(connection, "rival", "Secret", [])
        link, _token = dashboards.share(connection, "rival", str(board.id), 30)
        rival = {
            "goal": definitions.create(connection, GOAL, "rival", "Secret", purchase).id,
            "cohort": definitions.create(connection, COHORT, "rival", "Secret", purchase).id,
            "funnel": definitions.create(connection, FUNNEL, "rival", "Secret", STEPS).id,
            "dashboard": board.id,
            "share": link.id,
            "annotation": annotations.create(connection, "rival", COMPLETE, None, "Secret").id,
            "person": "user:ada",
            "alert": alerts.create_alert(connection, "rival", "Secret", **RULE).alert_id,
            "webhook": webhooks.create_webhook(connection, "https://rival.example/hook", app_id="rival").webhook_id,
            "key": keys.create_key(connection, "rival", "read").found.key_id,
        }
    return Tenants(service, client, {kind: str(one) for kind, one in rival.items()})


def operations(service: Service) -> set[str]:
    schema = httpx.get(f"{service.url}/openapi.json").json()
    return {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}


def test_every_endpoint_has_a_row(tenants: Tenants) -> None:
    assert operations(tenants.service) == set(MATRIX)


def test_another_tenants_app_is_as_one_that_is_not_there(tenants: Tenants) -> None:
    wrong = {}
    for operation, row in MATRIX.items():
        if row.no_tenant:
            continue
        ids = dict.fromkeys(tenants.rival, MISSING_ID)
        answers = [tenants.ask(operation, app_id, ids) for app_id in ("rival", "missing")]
        if answers[0] != answers[1] or answers[0][0] != 404:
            wrong[operation] = answers
    assert wrong == {}


def test_another_tenants_id_is_as_one_that_is_not_there(tenants: Tenants) -> None:
    wrong = {}
    for operation, row in MATRIX.items():
        if not row.parts and not row.parameters:
            continue
        missing = dict.fromkeys(tenants.rival, MISSING_ID)
        answers = [tenants.ask(operation, None, ids) for ids in (tenants.rival, missing)]
        if answers[0] != answers[1] or (answers[0][0] != 404 and not row.is_in_lake):
            wrong[operation] = answers
    assert wrong == {}


def test_what_the_rival_has_is_still_there(tenants: Tenants) -> None:
    key = tenants.service.keys["rival"]
    for kind in ("dashboards", "goals", "cohorts", "funnels"):
        assert len(tenants.service.data(f"/api/{kind}", key=key)) == 1


def test_a_question_does_not_reach_another_tenants_goal(tenants: Tenants) -> None:
    service, texts = tenants.service, []
    for goal in (tenants.rival["goal"], MISSING_ID, "secret", "missin"):
        headers = {"Authorization": f"Bearer {service.keys['read']}"}
        body = {"metrics": ["goal_events"], "goal": goal}
        answer = httpx.post(f"{service.url}/api/v2/query", headers=headers, json=body)
        texts.append((answer.status_code, answer.text.replace(goal, "…")))
    assert len(set(texts)) == 1
    assert texts[0][0] in {400, 404}


def test_an_alert_does_not_reach_another_tenants_webhook(tenants: Tenants) -> None:
    service, texts = tenants.service, set()
    for webhook in (tenants.rival["webhook"], MISSING_ID):
        headers = {"Authorization": f"Bearer {service.keys['admin']}"}
        body = ALERT | {"webhook_id": webhook}
        texts.add(httpx.post(f"{service.url}/api/alerts", headers=headers, json=body).text)
    assert len(texts) == 1
    assert '"field":"webhook_id"' in texts.pop()


def test_another_tenants_cursor_is_as_one_that_was_made_up(tenants: Tenants) -> None:
    service = tenants.service
    question = {"metrics": ["events"], "dimensions": ["event_name"], "date_range": ["2026-03-07", "2026-03-08"]}
    question |= {"limit": 1}

    def ask(key: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {service.keys[key]}"}
        return httpx.post(f"{service.url}/api/v2/query", headers=headers, json=question | more)

    cursor = ask("read").json()["meta"]["next_cursor"]
    assert ask("read", cursor=cursor).status_code == 200
    foreign, made_up = ask("rival", cursor=cursor), ask("rival", cursor=cursor[:-4] + "AAAA")
    assert (foreign.status_code, made_up.status_code) == (400, 400)
    assert foreign.text.replace(cursor, "…") == made_up.text.replace(cursor[:-4] + "AAAA", "…")


def test_a_subscription_to_another_tenants_app_is_as_to_one_that_is_not_there(tenants: Tenants) -> None:
    service = tenants.service
    with connect(f"{service.url.replace('http', 'ws')}/ws/live") as socket:
        socket.send(json.dumps({"type": "auth", "key": service.keys["read"]}))
        assert json.loads(socket.recv(timeout=10)) == {"type": "ready", "apps": ["shop"]}
        for more in ({"query": {"metrics": ["events"]}}, {"live": True, "window": "5m"}):
            answers = []
            for app_id in ("rival", "missing"):
                asked = {name: dict(value) if isinstance(value, dict) else value for name, value in more.items()}
                (asked.get("query", asked))["app_id"] = app_id
                socket.send(json.dumps({"type": "subscribe", "id": "a", **asked}))
                answers.append(str(socket.recv(timeout=10)).replace(app_id, "…"))
            assert answers[0] == answers[1]
            assert json.loads(answers[0])["type"] == "error"
