"""The gateway on a real nats-server and PostgreSQL, over real HTTP."""

import base64
import gzip
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import psycopg
import pytest
import structlog
import zstandard
from nats.js import JetStreamContext

from eventmill.contracts.event import StoredEvent
from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from eventmill.control.credentials import issue_key
from eventmill.control.filters import add_filter
from ingest_service.gateway import acceptance
from tests.gateway_calls import GOOD, bearer, last_seq, post, stored, stored_sections

pytestmark = pytest.mark.integration

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


async def test_a_good_event_is_accepted_once_the_broker_has_it(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    answer = await post(gateway, keys.write_key, GOOD)
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 1,
        "duplicate": 0,
        "quarantined": 0,
        "filtered": 0,
        "events": [{"event_id": "e1", "status": "accepted", "reason": None}],
    }
    assert await last_seq(jetstream) == 1
    subject, (event,) = await stored(jetstream, 1)
    assert subject == "events.shop"
    assert (event.event_id, event.user_id, event.source) == ("e1", "u1", "server")


async def test_a_bad_event_is_quarantined_and_its_neighbours_are_kept(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    lines = [b'{"event_type":"click","user_id":"a"}', b"{torn", b'{"event_type":"click","user_id":7}', b"[1]"]
    body = (await post(gateway, keys.write_key, b"\n".join([*lines, lines[0]]))).json()
    assert [event["status"] for event in body["events"]] == ["accepted", *["quarantined"] * 3, "accepted"]
    assert [event["reason"] for event in body["events"][1:4]] == ["malformed_json", "wrong_type", "not_an_object"]
    assert body["events"][2]["path"] == "$.user_id"
    assert "user_id" in body["events"][2]["message"]
    assert body["events"][2]["rule"] == "A field has the type that the contract gives it; ids are strings."
    assert (body["accepted"], body["quarantined"]) == (2, 3)
    _, events = await stored(jetstream, 1)
    assert [isinstance(event, StoredEvent) for event in events] == [True, False, False, False, True]
    assert [event.raw for event in events[1:4]] == lines[1:4]


async def test_a_failure_of_ours_is_a_problem_too_and_in_the_log(
    gateway: httpx.AsyncClient, keys: IssuedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("what nobody foresaw")

    monkeypatch.setattr(acceptance, "take_in", fail)
    with structlog.testing.capture_logs() as logged:
        answer = await post(gateway, keys.write_key, GOOD)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "what nobody foresaw" not in answer.text
    assert any("what nobody foresaw" in str(entry.get("exc_info")) for entry in logged)


async def test_an_event_without_an_id_travels_with_the_id_of_its_answer(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    body = (await post(gateway, keys.write_key, [{"event_type": "click", "user_id": "u"}] * 2)).json()
    _, events = await stored(jetstream, 1)
    assert [event.event_id for event in events] == [event["event_id"] for event in body["events"]]
    assert len({event.event_id for event in events}) == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_compressed_array_is_taken(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, encoding: str
) -> None:
    plain = msgspec.json.encode([GOOD | {"event_id": str(n)} for n in range(2_500)])
    body = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    answer = await post(gateway, keys.write_key, body, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2_500)
    assert await last_seq(jetstream) == 1


async def test_a_body_that_is_no_json_at_all_goes_to_quarantine_as_it_is(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    answer = await post(gateway, keys.write_key, b"\xff\x00 nonsense")
    assert (answer.status_code, answer.json()["quarantined"]) == (200, 1)
    _, (event,) = await stored(jetstream, 1)
    assert event.raw == b"\xff\x00 nonsense"


async def test_a_second_copy_is_called_a_duplicate_and_still_travels(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    statuses = [(await post(gateway, keys.write_key, GOOD)).json()["events"][0]["status"] for _ in range(2)]
    assert statuses == ["accepted", "duplicate"]
    assert await last_seq(jetstream) == 2


@pytest.mark.parametrize("key", ["nonsense", f"em_w_aaaaaaaa_{'x' * 43}"])
async def test_a_wrong_key_is_refused(gateway: httpx.AsyncClient, key: str) -> None:
    answer = await post(gateway, key, GOOD)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["field"] == "Authorization"


async def test_a_read_key_cannot_write(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    assert (await post(gateway, keys.read_key, GOOD)).status_code == 403


async def test_basic_authorization_carries_the_key_as_user_name(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    token = base64.b64encode(f"{keys.write_key}:".encode()).decode()
    answer = await gateway.post("/v1/events", json=GOOD, headers={"Authorization": f"Basic {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"[" + b" " * 500_000 + b"]", "identity"),
        (gzip.compress(b" " * 50_000_000), "gzip"),
        (zstandard.compress(b" " * 50_000_000), "zstd"),
        (b"{}\n" * 2_501, "identity"),
    ],
)
async def test_a_body_over_a_limit_is_refused(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, body: bytes, encoding: str
) -> None:
    answer = await post(gateway, keys.write_key, body, **{"Content-Encoding": encoding})
    assert answer.status_code == 413
    assert answer.json()["field"] == "body"
    assert "500 KB" in answer.json()["rule"] or "2,500" in answer.json()["rule"]
    assert await last_seq(jetstream) == 0


@pytest.mark.parametrize("body", [b"", b"  \n", b"[]"])
async def test_a_body_without_an_event_is_refused(gateway: httpx.AsyncClient, keys: IssuedKeys, body: bytes) -> None:
    assert (await post(gateway, keys.write_key, body)).status_code == 400


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 400), ("zstd", 400), ("br", 415)])
async def test_a_body_that_does_not_decompress_is_refused(
    gateway: httpx.AsyncClient, keys: IssuedKeys, encoding: str, status: int
) -> None:
    answer = await post(gateway, keys.write_key, b"not compressed", **{"Content-Encoding": encoding})
    assert answer.status_code == status


async def test_history_needs_an_admin_key(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    old = GOOD | {"timestamp": (datetime.now(UTC) - timedelta(days=200)).isoformat()}
    without = (await post(gateway, keys.write_key, old)).json()["events"][0]
    assert (without["reason"], without["path"]) == ("too_old", "$.timestamp")
    for key, status in [(keys.write_key, 403), (keys.admin_key, 200)]:
        answer = await gateway.post("/v1/events?history=true", json=old, headers=bearer(key))
        assert answer.status_code == status
    assert answer.json()["events"][0]["status"] == "accepted"
    _, (event,) = await stored(jetstream, 2)
    assert isinstance(event, StoredEvent)


async def test_a_key_of_several_apps_fills_one_envelope_an_app(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, database: str
) -> None:
    with psycopg.connect(database) as connection:
        apps.create_app(connection, "blog")
        key = issue_key(connection, "default", "write", ["blog", "shop"])
    events = [GOOD | {"app_id": app_id} for app_id in ("shop", "blog", "shop", "stranger")]
    body = (await post(gateway, key, events)).json()
    assert [event["status"] for event in body["events"]] == ["accepted", "accepted", "duplicate", "quarantined"]
    assert body["events"][3]["reason"] == "app_mismatch"
    messages = dict([await stored(jetstream, 1), await stored(jetstream, 2)])
    assert {subject: len(events) for subject, events in messages.items()} == {"events.shop": 2, "events.blog": 2}


async def test_with_a_key_of_several_apps_an_event_must_say_which(
    gateway: httpx.AsyncClient, keys: IssuedKeys, database: str
) -> None:
    with psycopg.connect(database) as connection:
        apps.create_app(connection, "blog")
        key = issue_key(connection, "default", "write", ["blog", "shop"])
    refused = await post(gateway, key, GOOD)
    assert (refused.status_code, refused.json()["field"]) == (400, "app_id")
    named = await gateway.post("/v1/events?app_id=blog", json=GOOD, headers=bearer(key))
    assert named.status_code == 200


async def test_an_event_of_another_app_is_quarantined(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    body = (await post(gateway, keys.write_key, GOOD | {"app_id": "blog"})).json()
    assert body["events"][0]["reason"] == "app_mismatch"


async def test_a_web_visitor_without_an_id_gets_one_that_holds_for_the_day(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    view = {"page_url": "/"}
    for _ in range(2):
        assert (await post(gateway, keys.write_key, view, **{"User-Agent": CHROME})).json()["accepted"] == 1
    first, second = [(await stored(jetstream, seq))[1][0] for seq in (1, 2)]
    assert first.anonymous_id.startswith("daily-")
    assert first.anonymous_id == second.anonymous_id
    assert (first.source, first.browser, first.is_bot) == ("web", "Chrome", False)


async def test_a_server_event_without_an_id_is_quarantined(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    body = (await post(gateway, keys.write_key, {"page_url": "/"})).json()
    assert body["events"][0]["reason"] == "missing_identity"


async def test_metrics_count_what_clients_were_told(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    await post(gateway, keys.write_key, [GOOD, {}])
    await post(gateway, "wrong", GOOD)
    text = (await gateway.get("/metrics")).text
    assert 'eventmill_gateway_events_total{status="accepted"} 1.0' in text
    assert 'eventmill_gateway_quarantined_events_total{reason="missing_identity"} 1.0' in text
    assert 'eventmill_gateway_requests_total{status="401"} 1.0' in text


async def test_the_request_id_comes_back(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/health/live", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"


async def test_an_unknown_path_is_answered_as_a_problem(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson", "text/plain; charset=utf-8"])
async def test_json_is_taken_under_each_of_its_media_types(
    gateway: httpx.AsyncClient, keys: IssuedKeys, media_type: str
) -> None:
    assert (await post(gateway, keys.write_key, GOOD, **{"Content-Type": media_type})).status_code == 200


async def test_another_media_type_is_refused(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    answer = await post(gateway, keys.write_key, GOOD, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


async def test_a_beacon_carries_its_key_in_the_query(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    answer = await gateway.post(
        "/v1/events", params={"write_key": keys.write_key}, content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 200


async def test_events_are_posted(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


async def test_internal_traffic_is_answered_as_filtered_and_travels_as_a_count(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, database: str
) -> None:
    with psycopg.connect(database) as connection:
        add_filter(connection, "shop", "path", "/admin/*")
    inside = {"event_type": "page_view", "user_id": "u", "page_url": "https://shop.example/admin/orders"}
    body = (await post(gateway, keys.write_key, [inside, GOOD, GOOD | {"event_id": "e2", "opt_out": True}])).json()
    assert [(event["status"], event["reason"]) for event in body["events"]] == [
        ("filtered", "path"),
        ("accepted", None),
        ("filtered", "opt_out"),
    ]
    _, ((section, events),) = await stored_sections(jetstream, 1)
    assert (len(events), dict(section.filtered)) == (1, {"path": 1, "opt_out": 1})


async def test_a_monitor_may_ask_for_the_snippet_with_head(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.head("/em.js")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == (await gateway.get("/em.js")).headers["etag"]


async def test_the_series_of_a_closed_list_are_there_before_the_first_event(gateway: httpx.AsyncClient) -> None:
    text = (await gateway.get("/metrics")).text
    assert 'eventmill_gateway_quarantined_events_total{reason="too_old"} 0.0' in text
    assert "_created" not in text
