"""Saved dashboards, their links, and annotations as their users meet them."""

from typing import Any

import httpx
import pytest

from tests.shop_service import Service

pytestmark = pytest.mark.integration
QUESTION = {"metrics": ["events"], "date_range": ["2026-03-07", "2026-03-10"], "granularity": "day"}
WIDGET = {"kind": "timeseries", "title": "Events", "question": QUESTION}


def saved(send: Any, *widgets: dict[str, Any], name: str = "Overview") -> httpx.Response:
    answer = send("POST", "/api/dashboards", json={"name": name, "widgets": list(widgets)})
    assert answer.status_code == 201, answer.text
    return answer


def test_a_dashboard_is_saved_with_its_defaults(service: Service, send: Any) -> None:
    [row] = saved(send, WIDGET).json()["data"]
    assert row["widgets"] == [WIDGET | {"size": "medium"}]
    assert (row["name"], row["version"]) == ("Overview", 1)
    assert service.data(f"/api/dashboards/{row['id']}") == [row]
    assert row in service.data("/api/dashboards")


def test_every_kind_of_widget_is_kept(send: Any) -> None:
    widgets = [{"kind": kind, "question": QUESTION} for kind in ("number", "bar", "table")]
    widgets += [{"kind": "funnel", "funnel": "checkout"}, {"kind": "text", "text": "Hello"}]
    widgets += [{"kind": "retention", "cohort": "buyers", "interval": "day", "mode": "on_or_after"}]
    [row] = saved(send, *widgets).json()["data"]
    assert row["widgets"] == [one | {"title": "", "size": "medium"} for one in widgets]


@pytest.mark.parametrize(
    ("widget", "field"),
    [
        ("text", "widgets[0]"),
        ({"kind": "pie"}, "widgets[0].kind"),
        ({"kind": "number"}, "widgets[0].question"),
        ({"kind": "number", "question": {"metrics": ["nonsense"]}}, "widgets[0].question.metrics[0]"),
        ({"kind": "number", "question": QUESTION | {"app_id": "rival"}}, "widgets[0].question.app_id"),
        ({"kind": "number", "question": QUESTION | {"colour": "red"}}, "widgets[0].question.'colour'"),
        ({"kind": "number", "question": QUESTION, "size": "huge"}, "widgets[0].size"),
        ({"kind": "number", "question": QUESTION, "title": 7}, "widgets[0].title"),
        ({"kind": "text", "text": ""}, "widgets[0].text"),
        ({"kind": "text", "text": "x", "html": "<b>"}, "widgets[0].html"),
        ({"kind": "funnel", "funnel": None}, "widgets[0].funnel"),
        ({"kind": "retention", "cohort": "buyers", "mode": "never"}, "widgets[0].mode"),
    ],
)
def test_a_widget_that_means_nothing_is_refused_by_its_place(widget: Any, field: str, send: Any) -> None:
    answer = send("POST", "/api/dashboards", json={"name": "Wrong", "widgets": [widget]})
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("body", [{"name": ""}, {"name": "x" * 201}, {"name": None}, {"widgets": []}])
def test_a_dashboard_has_a_name(body: dict[str, Any], send: Any) -> None:
    answer = send("POST", "/api/dashboards", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, "name")


def test_a_change_that_would_undo_somebody_elses_is_refused(service: Service, send: Any) -> None:
    made = saved(send)
    path = f"/api/dashboards/{made.json()['data'][0]['id']}"
    first = {"If-Match": made.headers["etag"]}
    assert send("PUT", path, json={"name": "A"}).status_code == 428
    changed = send("PUT", path, json={"name": "A"}, headers=first)
    assert (changed.status_code, changed.json()["data"][0]["version"]) == (200, 2)
    refused = send("PUT", path, json={"name": "B"}, headers=first)
    assert (refused.status_code, refused.json()["field"]) == (412, "If-Match")
    assert service.data(path)[0]["name"] == "A"
    assert send("PUT", path, json={"name": "B"}, headers={"If-Match": changed.headers["etag"]}).is_success


def test_a_deleted_dashboard_is_gone_with_its_links(service: Service, send: Any) -> None:
    path = f"/api/dashboards/{saved(send).json()['data'][0]['id']}"
    token = send("POST", f"{path}/shares").json()["data"][0]["token"]
    assert send("DELETE", path).status_code == 204
    assert service.get(path).status_code == 404
    assert httpx.get(f"{service.url}/api/shared/{token}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_read_key_changes_nothing(method: str, send: Any) -> None:
    place = "" if method == "POST" else f"/{saved(send).json()['data'][0]['id']}"
    for kind in ("dashboards", "annotations"):
        assert send(method, f"/api/{kind}{place}", key="read", json={}).status_code == 403


def test_a_link_shows_its_dashboard_and_nothing_else(service: Service, send: Any) -> None:
    path = f"/api/dashboards/{saved(send, WIDGET, {'kind': 'text', 'text': 'Hi'}).json()['data'][0]['id']}"
    [link] = send("POST", f"{path}/shares", json={"expires_in_days": 1}).json()["data"]
    shared = httpx.get(service.url + link["path"])
    assert shared.headers["cache-control"] == "private, no-store"
    assert shared.json()["data"][0] | {"updated_at": ""} == {
        "name": "Overview",
        "widgets": [WIDGET | {"size": "medium"}, {"kind": "text", "text": "Hi", "title": "", "size": "medium"}],
        "updated_at": "",
    }
    answer = httpx.post(f"{service.url}{link['path']}/widgets/0").json()
    asked = send("POST", "/api/v2/query", key="read", json=QUESTION).json()
    assert [row["events"] for row in answer["data"]][:2] == [9, 4]
    assert answer["data"] == asked["data"]
    assert httpx.post(f"{service.url}{link['path']}/widgets/1").json()["data"] == []
    for place in ("2", "-1", "x", "9" * 30):
        assert httpx.post(f"{service.url}{link['path']}/widgets/{place}").status_code == 404
    assert httpx.get(f"{service.url}/api/apps", headers={"Authorization": f"Bearer {link['token']}"}).status_code == 401


def test_a_revoked_or_expired_link_is_as_one_that_never_was(service: Service, session_rollups: Any, send: Any) -> None:
    path = f"/api/dashboards/{saved(send).json()['data'][0]['id']}"
    revoked, expired = (send("POST", f"{path}/shares").json()["data"][0] for _ in range(2))
    assert send("DELETE", f"{path}/shares/{revoked['id']}").status_code == 204
    session_rollups.execute(
        "update control.dashboard_share set expires_at = now() where share_id::text = %(id)s", {"id": expired["id"]}
    )
    assert send("GET", f"{path}/shares").json() == {"data": []}
    answers = [httpx.get(f"{service.url}/api/shared/{token}") for token in (revoked["token"], expired["token"], "no")]
    assert [(one.status_code, one.text) for one in answers] == [(404, answers[2].text)] * 3


@pytest.mark.parametrize("days", [0, -1, 367, "30", True, None])
def test_a_link_ends_within_a_year(days: object, send: Any) -> None:
    path = f"/api/dashboards/{saved(send).json()['data'][0]['id']}/shares"
    answer = send("POST", path, json={"expires_in_days": days})
    assert (answer.status_code, answer.json()["field"]) == (400, "expires_in_days")


def test_notes_are_written_changed_and_deleted(service: Service, send: Any) -> None:
    made = send("POST", "/api/annotations", json={"at": "2026-02-01T12:00:00Z", "text": "Launch"})
    [row] = made.json()["data"]
    assert (row["kind"], row["starts_at"], row["ends_at"]) == ("note", "2026-02-01T07:00:00-05:00", None)
    path = f"/api/annotations/{row['id']}"
    times = {"starts_at": "2026-02-01T00:00:00-05:00", "ends_at": "2026-02-03T00:00:00-05:00"}
    assert send("PUT", path, json={"text": "Sale"} | times).json()["data"][0]["text"] == "Sale"
    # It has begun before the range, and is not over in it.
    assert [one["text"] for one in service.data("/api/annotations", start="2026-02-02", end="2026-02-04")] == ["Sale"]
    assert send("DELETE", path).status_code == 204
    assert service.data("/api/annotations", start="2026-02-01", end="2026-02-04") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": " "}, "text"),
        ({"text": "x", "at": "yesterday"}, "at"),
        ({"text": "x", "at": "2026-02-01T12:00:00"}, "at"),
        ({"text": "x", "starts_at": "2026-02-01T12:00:00Z", "ends_at": "2026-02-01T12:00:00Z"}, "ends_at"),
        ({"text": "x", "colour": "red"}, "colour"),
    ],
)
def test_a_note_that_cannot_be_names_the_field(body: dict[str, Any], field: str, send: Any) -> None:
    answer = send("POST", "/api/annotations", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_backfills_and_restated_days_annotate_by_themselves(service: Service) -> None:
    rows = service.data("/api/annotations", start="2026-03-01", end="2026-03-20")
    assert [(row["kind"], row["starts_at"], row["ends_at"], row["text"]) for row in rows] == [
        (
            *("backfill", "2026-03-07T00:00:00-05:00", "2026-03-09T00:00:00-04:00"),
            "Computed again (is under way).",
        ),
        (
            *("restatement", "2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"),
            "Numbers of closed periods changed (late_events: 3 periods, 1 metric).",
        ),
    ]
    assert service.data("/api/annotations", key="blog", start="2026-03-01", end="2026-03-20") == []
