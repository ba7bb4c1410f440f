"""Who may ask, as its users meet it: tokens, sign-ins, keys and the audit log over HTTP."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from eventmill.control import audit, keys
from tests import oidc_issuer
from tests.shop_service import Service, make_apps

pytestmark = pytest.mark.integration


def connect(service: Service) -> psycopg.Connection:
    return psycopg.connect(service.settings.database_address)


def test_a_token_of_the_issuer_reads_the_apps_that_it_names(service: Service, issuer: oidc_issuer.Issuer) -> None:
    token = issuer.token(eventmill_apps=["blog"])
    assert [app["app_id"] for app in service.data("/api/apps", key=token)] == ["blog"]
    assert service.get("/api/metrics/today", key=token, app_id="shop").status_code == 404


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1_000}, {"nbf": 2**33}, {"aud": "another"}, {"iss": "http://127.0.0.1:1"}],
    ids=["expired", "future", "audience", "issuer"],
)
def test_a_token_that_is_wrong_gets_401(service: Service, issuer: oidc_issuer.Issuer, claims: dict[str, Any]) -> None:
    assert service.problem("/api/apps", key=issuer.token(**claims))[:2] == (401, "Authorization")


def test_a_token_without_apps_gets_403_and_says_which_claim_is_missing(
    service: Service, issuer: oidc_issuer.Issuer
) -> None:
    status, _, rule = service.problem("/api/apps", key=issuer.token(eventmill_apps=None))
    assert (status, "eventmill_apps" in rule) == (403, True)


def test_who_is_revoked_gets_401(service: Service, issuer: oidc_issuer.Issuer) -> None:
    old = int(time.time()) - 3_600
    assert service.problem("/api/apps", key=issuer.token(sub="mallory", iat=old))[:2] == (401, "Authorization")
    assert service.get("/api/apps", key=issuer.token(sub="bob", iat=old)).status_code == 200


@contextmanager
def signed_in(service: Service) -> Iterator[httpx.Client]:
    """A browser that has signed in."""
    with httpx.Client(base_url=service.url) as browser:
        there = browser.get("/auth/login", params={"next": "/docs?a=b"})
        back = httpx.get(there.headers["location"])
        answer = browser.get(back.headers["location"])
        assert (there.status_code, answer.status_code, answer.headers["location"]) == (303, 303, "/docs?a=b")
        yield browser


def test_a_browser_signs_in_and_out(service: Service, issuer: oidc_issuer.Issuer) -> None:
    with signed_in(service) as browser:
        session = browser.get("/auth/session").json()["session"]
        assert (session["subject"], session["apps"], session["kind"]) == ("oidc:ada", ["shop"], "read")
        assert [app["app_id"] for app in browser.get("/api/apps").json()["data"]] == ["shop"]
        token = {"X-CSRF-Token": session["csrf_token"]}
        assert browser.post("/auth/logout").status_code == 403
        assert browser.post("/auth/logout", headers=token | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
        stolen = dict(browser.cookies)
        assert browser.post("/auth/logout", headers=token).status_code == 204
        assert browser.get("/auth/session").json() == {"can_sign_in": True, "session": None}
        assert httpx.get(f"{service.url}/api/apps", cookies=stolen).status_code == 401


def test_a_page_that_writes_with_a_session_proves_that_it_is_ours(service: Service, issuer: oidc_issuer.Issuer) -> None:
    issuer.claims["scope"] = "admin"
    with signed_in(service) as browser:
        issuer.claims.pop("scope")
        csrf = browser.get("/auth/session").json()["session"]["csrf_token"]
        body = {"text": "A page writes"}
        for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-site"}):
            assert browser.post("/api/annotations", json=body, headers=headers).status_code == 403
        assert browser.post("/api/annotations", json=body, headers={"X-CSRF-Token": csrf}).status_code == 201


def test_the_session_cookie_is_for_no_script_and_no_other_site(service: Service) -> None:
    browser = httpx.Client(base_url=service.url)
    with browser:
        back = httpx.get(browser.get("/auth/login").headers["location"])
        cookies = browser.get(back.headers["location"]).headers.get_list("set-cookie")
    [cookie] = [one.lower() for one in cookies if one.startswith("em_session=")]
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize("broken", ["state", "cookie", "code", "iss"])
def test_an_answer_that_is_not_to_this_browsers_sign_in_is_refused(
    service: Service, issuer: oidc_issuer.Issuer, broken: str
) -> None:
    with httpx.Client(base_url=service.url) as browser:
        back = httpx.get(browser.get("/auth/login").headers["location"]).headers["location"]
        sent = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        if broken == "cookie":
            browser.cookies.clear()
        else:
            sent[broken] = "another"
        answer = browser.get("/auth/callback", params=sent)
        assert (answer.status_code, "em_session" in browser.cookies) == (401, False)


def test_a_code_is_taken_once(service: Service, issuer: oidc_issuer.Issuer) -> None:
    with httpx.Client(base_url=service.url) as browser:
        back = httpx.get(browser.get("/auth/login").headers["location"]).headers["location"]
        cookies = dict(browser.cookies)
        assert browser.get(back).status_code == 303
        assert httpx.get(back, cookies=cookies).status_code == 401


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "x"])
def test_signing_in_never_leads_elsewhere(service: Service, elsewhere: str) -> None:
    with httpx.Client(base_url=service.url) as browser:
        back = httpx.get(browser.get("/auth/login", params={"next": elsewhere}).headers["location"])
        assert browser.get(back.headers["location"]).headers["location"] == "/"


def test_a_key_is_made_used_rotated_and_revoked(service: Service, send: Any) -> None:
    made = send("POST", "/api/keys", json={"kind": "read", "name": "support", "people": True})
    assert made.status_code == 201
    [row] = made.json()["data"]
    assert (row["name"], row["people"], row["last_used_at"]) == ("support", True, None)
    assert service.get("/api/apps", key=row["key"]).status_code == 200
    rotated = send("POST", f"/api/keys/{row['id']}/rotate", json={"grace_seconds": 600}).json()["data"][0]
    assert (rotated["name"], rotated["people"]) == ("support", True)
    for key in (row["key"], rotated["key"]):
        assert service.get("/api/apps", key=key).status_code == 200
    listed = {one["prefix"]: one for one in send("GET", "/api/keys").json()["data"]}
    ends = datetime.fromisoformat(listed[row["prefix"]]["expires_at"])
    assert timedelta(minutes=9) < ends - datetime.now(UTC) < timedelta(minutes=11)
    assert set(listed[row["prefix"]]) == {
        *("id", "prefix", "kind", "name", "people", "allowed_origins"),
        *("created_at", "expires_at", "revoked_at", "last_used_at"),
    }
    assert send("DELETE", f"/api/keys/{rotated['prefix']}").status_code == 204
    with connect(service) as connection:
        assert keys.get_key(connection, "shop", rotated["prefix"]).revoked_at is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "root"}, "kind"),
        ({"kind": "write", "people": True}, "people"),
        ({"kind": "read", "name": 7}, "name"),
        ({"kind": "read", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"kind": "read", "expires_at": "tomorrow"}, "expires_at"),
        ({"kind": "read", "allowed_origins": ["nonsense"]}, "allowed_origins"),
        ({"kind": "read", "apps": ["rival"]}, "apps"),
    ],
)
def test_a_key_that_cannot_be_made_names_the_field(body: dict[str, Any], field: str, send: Any) -> None:
    answer = send("POST", "/api/keys", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("path", ["/api/keys", "/api/audit"])
def test_a_read_key_sees_neither_keys_nor_what_administrators_did(service: Service, path: str) -> None:
    assert service.get(path).status_code == 403


def test_what_administrators_did_is_kept_with_who_did_it(service: Service, send: Any) -> None:
    prefix = service.keys["admin"].split("_")[2]
    made = send("POST", "/api/goals", json={"name": "Kept", "filter": {"event_type": "signup"}})
    assert made.status_code == 201
    send("DELETE", "/api/goals/kept")
    entries = send("GET", "/api/audit", params={"limit": 2}).json()
    assert [(one["actor"], one["action"], one["target"]) for one in entries["data"]] == [
        (f"key:{prefix}", "goal.delete", "kept"),
        (f"key:{prefix}", "goal.create", "kept"),
    ]
    more = send("GET", "/api/audit", params={"cursor": entries["meta"]["next_cursor"]}).json()["data"]
    assert max(one["id"] for one in more) < min(one["id"] for one in entries["data"])


def test_no_secret_is_in_the_audit_log(service: Service, send: Any) -> None:
    made = send("POST", "/api/keys", json={"kind": "admin"}).json()["data"][0]
    send("DELETE", f"/api/keys/{made['id']}")
    with connect(service) as connection:
        text = str(audit.entries(connection, "shop", 1_000))
    assert made["prefix"] in text
    assert made["key"].split("_", 3)[3] not in text


def test_what_failed_is_not_in_the_audit_log(send: Any) -> None:
    before = send("GET", "/api/audit").json()["data"]
    assert send("POST", "/api/goals", json={"name": "x"}).status_code == 400
    assert send("GET", "/api/audit").json()["data"] == before


def test_answers_say_what_is_left_of_the_credentials_requests(service: Service) -> None:
    answer = service.get("/api/apps", key="rival")
    assert answer.headers["RateLimit-Policy"] == '"credential";q=5000;w=10'
    assert answer.headers["RateLimit"].startswith('"credential";r=49')


def test_a_body_that_is_too_large_is_refused(send: Any) -> None:
    assert send("POST", "/api/goals", content=b" " * (1024**2 + 1)).status_code == 413


def test_the_service_measures_its_care_for_the_database(service: Service) -> None:
    service.get("/api/metrics/today")
    text = httpx.get(f"{service.url}/metrics").text
    for line in (
        'eventmill_query_answer_seconds_count{source="rollup",transport="rest"}',
        "eventmill_query_pool_wait_seconds_count",
        'eventmill_query_pool_connections{state="size"}',
        "eventmill_query_statement_seconds_count",
        "eventmill_query_slow_statements_total",
        "eventmill_query_rate_limited_total 0.0",
    ):
        assert line in text


def test_a_deleted_app_is_one_entry_and_takes_its_keys_along_unnamed(rollups: Any) -> None:
    make_apps(rollups.address)
    with psycopg.connect(rollups.address) as connection:
        connection.execute("select set_config('eventmill.actor', 'cli:somebody', false)")
        before = connection.execute("select coalesce(max(audit_id), 0) from control.audit").fetchone()
        connection.execute("delete from control.app where app_id = 'shop'")
        found = connection.execute("select action, target from control.audit where audit_id > %s", before).fetchall()
    assert found == [("app.delete", "shop")]
