"""Alerts over HTTP: the same as on the command line."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from eventmill.control import alerts, webhooks
from tests.shop_service import Service

pytestmark = pytest.mark.integration
RULE = {"name": "few orders", "metric": "events", "dimension": "event_type", "value": "purchase"}
RULE |= {"comparison": "below", "threshold": 10, "for_minutes": 5}


def test_an_alert_is_made_listed_and_deleted(service: Service, session_rollups: Any, send: Any) -> None:
    with psycopg.connect(session_rollups.address) as connection:
        hook = str(webhooks.create_webhook(connection, "https://hooks.example/x", app_id="shop").webhook_id)
    made = send("POST", "/api/alerts", json=RULE | {"webhook_id": hook})
    assert made.status_code == 201, made.text
    [row] = made.json()["data"]
    assert row["condition"] == "events of event_type purchase < 10 in the hour"
    assert (row["window"], row["incomplete"], row["webhook_id"]) == ("hour", False, hook)
    state = {"alert_id": row["id"], "value": 3.0, "period_start": datetime(2026, 3, 8, 12, tzinfo=UTC)}
    session_rollups.insert("control.alert_state", state | {"evaluated_at": datetime(2026, 3, 8, 13, tzinfo=UTC)})
    [listed] = service.data("/api/alerts")
    assert (listed["value_now"], listed["evaluated_at"]) == (3.0, "2026-03-08T13:00:00Z")
    assert service.data(f"/api/alerts/{row['id']}")[0]["history"] == []
    assert send("POST", "/api/alerts", json=RULE).json()["field"] == "name"
    changed = send("PUT", f"/api/alerts/{row['id']}", json=RULE | {"name": "fewer orders", "threshold": 5}).json()
    assert [(one["name"], one["threshold"], one["webhook_id"]) for one in changed["data"]] == [
        ("fewer orders", 5, None)
    ]
    assert service.data("/api/alerts")[0]["value_now"] is None
    assert send("PUT", f"/api/alerts/{row['id']}", json=RULE | {"window": "year"}).json()["field"] == "window"
    assert send("DELETE", f"/api/alerts/{row['id']}").status_code == 204
    with psycopg.connect(session_rollups.address) as connection:
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
def test_an_alert_that_cannot_be_names_the_field(change: dict[str, Any], field: str, send: Any) -> None:
    answer = send("POST", "/api/alerts", json=RULE | change)
    assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text


def test_a_read_key_sees_alerts_and_makes_none(service: Service, send: Any) -> None:
    assert service.get("/api/alerts").status_code == 200
    assert send("POST", "/api/alerts", key="read", json=RULE).status_code == 403
