"""Alerts over HTTP: the same as on the command line."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from eventmill.control import alerts, webhooks
from eventmill.settings import Settings
from tests.shop_service import Service, make_apps

pytestmark = pytest.mark.integration
RULE = {"name": "few orders", "metric": "events", "dimension": "event_type", "value": "purchase"}
RULE |= {"comparison": "below", "threshold": 10, "for_minutes": 5}


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[..., Settings]) -> Service:
    keys = make_apps(module_rollups.address)
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def send(service: Service, method: str, path: str, key: str = "admin", **request: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {service.keys[key]}"}
    return httpx.request(method, service.url + path, headers=headers, **request)


def test_an_alert_is_made_listed_and_deleted(service: Service, module_rollups: Any) -> None:
    with psycopg.connect(module_rollups.address) as connection:
        hook = str(webhooks.create_webhook(connection, "https://hooks.example/x", app_id="shop").webhook_id)
    made = send(service, "POST", "/api/alerts", json=RULE | {"webhook_id": hook})
    assert made.status_code == 201, made.text
    [row] = made.json()["data"]
    assert row["condition"] == "events of event_type purchase < 10 in the hour"
    assert (row["window"], row["incomplete"], row["webhook_id"]) == ("hour", False, hook)
    state = {"alert_id": row["id"], "value": 3.0, "period_start": datetime(2026, 3, 8, 12, tzinfo=UTC)}
    module_rollups.insert("control.alert_state", state | {"evaluated_at": datetime(2026, 3, 8, 13, tzinfo=UTC)})
    [listed] = service.data("/api/alerts")
    assert (listed["value_now"], listed["evaluated_at"]) == (3.0, "2026-03-08T13:00:00Z")
    assert service.data(f"/api/alerts/{row['id']}")[0]["history"] == []
    assert send(service, "POST", "/api/alerts", json=RULE).json()["field"] == "name"
    assert send(service, "DELETE", f"/api/alerts/{row['id']}").status_code == 204
    with psycopg.connect(module_rollups.address) as connection:
        assert alerts.list_alerts(connection, "shop") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metric": "clicks"}, "metric"),
        ({"metric": 7}, "metric"),
        ({"name": ""}, "name"),
        ({"comparison": "near"}, "comparison"),
        ({"threshold": "10"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": 10**400}, "threshold"),
        ({"window": "minute"}, "window"),
        ({"for_minutes": -1}, "for_minutes"),
        ({"incomplete": "no"}, "incomplete"),
        ({"value": "x\u0000"}, "value"),
        ({"webhook_id": "\u0000"}, "webhook_id"),
        ({"url": "https://hooks.example/x"}, "url"),
    ],
)
def test_an_alert_that_cannot_be_names_the_field(service: Service, change: dict[str, Any], field: str) -> None:
    answer = send(service, "POST", "/api/alerts", json=RULE | change)
    assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text


def test_a_read_key_sees_alerts_and_makes_none(service: Service) -> None:
    assert service.get("/api/alerts").status_code == 200
    assert send(service, "POST", "/api/alerts", key="read", json=RULE).status_code == 403
