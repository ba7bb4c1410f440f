"""Segment's HTTP API on the running gateway: paths, keys, bodies, answers, and what lies on the broker then."""

import base64
import gzip
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
import structlog
from nats.js import JetStreamContext

from eventmill.contracts.decode import Rejected
from eventmill.contracts.event import StoredEvent
from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from eventmill.control.credentials import issue_key
from tests.gateway_calls import last_seq, stored
from tests.sdk.arrived import events

pytestmark = pytest.mark.integration

MESSAGE: dict[str, Any] = {"messageId": "m1", "userId": "u1"}
TRACK: dict[str, Any] = MESSAGE | {"type": "track", "event": "Signed Up"}
SUCCESS = (200, b'{"success":true}')
CALLS = {
    "track": ({"event": "Signed Up"}, "Signed Up"),
    "page": ({"properties": {"url": "https://shop.example/"}}, "page_view"),
    "screen": ({"name": "Home"}, "screen_view"),
    "identify": ({"traits": {"plan": "pro"}}, "identify"),
    "group": ({"groupId": "g1"}, "group"),
    "alias": ({"previousId": "a1"}, "alias"),
}


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


async def send(gateway: httpx.AsyncClient, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await gateway.post(path, content=content, headers={"User-Agent": "curl/8"} | headers)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_short", [False, True])
async def test_each_call_has_a_path_and_a_short_one(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, call: str, *, is_short: bool
) -> None:
    message, event_type = CALLS[call]
    path = f"/v1/{call[0] if is_short else call}"
    answer = await send(gateway, path, MESSAGE | message, **basic(keys.write_key))
    assert (answer.status_code, answer.content) == SUCCESS
    subject, (event,) = await stored(jetstream, 1)
    assert (subject, event.event_id, event.event_type, event.user_id) == ("events.shop", "m1", event_type, "u1")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_batch_carries_messages_of_every_call(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext, path: str, encoding: str
) -> None:
    messages = [MESSAGE | message | {"type": call, "messageId": call} for call, (message, _) in CALLS.items()]
    body = msgspec.json.encode({"batch": messages, "sentAt": "2026-03-01T12:00:00Z", "writeKey": keys.write_key})
    content = gzip.compress(body) if encoding == "gzip" else body
    answer = await send(gateway, path, content, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.content) == SUCCESS
    found = await events(jetstream)
    assert {event.event_id: event.event_type for event in found} == {call: name for call, (_, name) in CALLS.items()}
    assert {event.sent_at.isoformat() for event in found} == {"2026-03-01T12:00:00+00:00"}


async def test_the_key_may_stand_in_a_body_of_plain_text(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    body = TRACK | {"writeKey": keys.write_key}
    answer = await send(gateway, "/v1/t", body, **{"Content-Type": "text/plain;charset=UTF-8"})
    assert (answer.status_code, answer.content) == SUCCESS
    assert await last_seq(jetstream) == 1


async def test_a_bad_message_goes_to_quarantine_and_its_neighbours_are_kept(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    bad = [b'{"type":"track","event":7,"userId":"u"}', b'{"type":"page","userId":"u","properties":{"x":NaN}}', b"7"]
    good = msgspec.json.encode(TRACK)
    body = b'{"batch":[' + b",".join([good, *bad, good]) + b"]}"
    answer = await send(gateway, "/v1/batch", body, **basic(keys.write_key))
    assert (answer.status_code, answer.content) == SUCCESS
    found = await events(jetstream)
    assert [type(event) for event in found] == [StoredEvent, Rejected, Rejected, Rejected, StoredEvent]
    assert [event.raw for event in found[1:4]] == bad
    assert [(event.reason, event.path) for event in found[1:4]] == [
        ("wrong_type", "$.event"),
        ("malformed_json", "$"),
        ("not_an_object", "$"),
    ]


async def test_a_page_view_without_any_id_gets_the_visitors_of_the_day(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    context = {"library": {"name": "analytics.js"}}
    await send(gateway, "/v1/p", {"messageId": "m1", "context": context}, **basic(keys.write_key))
    _, (event,) = await stored(jetstream, 1)
    assert (event.source, event.event_id) == ("web", "m1")
    assert event.anonymous_id


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
@pytest.mark.parametrize("key", [None, "nonsense", f"em_w_aaaaaaaa_{'x' * 43}"])
async def test_a_wrong_key_is_refused(gateway: httpx.AsyncClient, path: str, key: str | None) -> None:
    answer = await send(gateway, path, TRACK | {"batch": [TRACK], "writeKey": key})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_a_page_of_an_origin_that_the_key_does_not_allow_cannot_send(
    gateway: httpx.AsyncClient, database: str, jetstream: JetStreamContext
) -> None:
    with psycopg.connect(database) as connection:
        apps.create_app(connection, "strict")
        key = issue_key(connection, "default", "write", ["strict"], allowed_origins=["https://shop.example"])
    body = TRACK | {"writeKey": key}
    answers = [await send(gateway, "/v1/t", body, Origin=f"https://{name}.example") for name in ("other", "shop")]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[1].headers["access-control-allow-origin"] == "https://shop.example"
    assert await last_seq(jetstream) == 1


async def test_a_read_key_cannot_write(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    assert (await send(gateway, "/v1/track", TRACK, **basic(keys.read_key))).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/track", b" ", 400, "body"),
        ("/v1/batch", b'{"messages":[]}', 400, "batch"),
        ("/v1/batch", b"nonsense", 400, "batch"),
        ("/v1/batch", b'{"batch":[' + b",".join([b"{}"] * 2_501) + b"]}", 413, "body"),
        ("/v1/track", b'{"event":"' + b"x" * 500_000 + b'"}', 413, "body"),
    ],
)
async def test_a_body_without_messages_or_over_a_limit_is_refused(
    gateway: httpx.AsyncClient,
    keys: IssuedKeys,
    jetstream: JetStreamContext,
    path: str,
    body: bytes,
    status: int,
    field: str,
) -> None:
    answer = await send(gateway, path, body, **basic(keys.write_key))
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert await last_seq(jetstream) == 0


async def test_a_context_cannot_multiply_a_batch_without_bounds(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    body = {"batch": [TRACK] * 2_000, "context": {"text": "x" * 20_000}}
    answer = await send(gateway, "/v1/batch", body, **basic(keys.write_key))
    assert answer.status_code == 413
    assert "context" in answer.json()["rule"]
    assert await last_seq(jetstream) == 0


async def test_an_empty_batch_is_a_success_of_nothing(
    gateway: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    answer = await send(gateway, "/v1/batch", {"batch": []}, **basic(keys.write_key))
    assert (answer.status_code, answer.content) == SUCCESS
    assert await last_seq(jetstream) == 0


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_the_settings_lead_back_to_the_gateway(gateway: httpx.AsyncClient, keys: IssuedKeys, prefix: str) -> None:
    path = f"{prefix}/projects/{keys.write_key}/settings"
    answer = await gateway.get(path, headers={"Origin": "https://shop.example", "X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    delivery = answer.json()["integrations"]["Segment.io"]
    assert delivery["apiKey"] == keys.write_key
    assert f"{delivery['protocol']}://{delivery['apiHost']}" == f"https://127.0.0.1:{gateway.base_url.port}/v1"


async def test_there_are_no_settings_for_what_is_no_write_key_and_no_key_in_the_log(
    gateway: httpx.AsyncClient, keys: IssuedKeys
) -> None:
    with structlog.testing.capture_logs() as logged:
        answers = [await gateway.get(f"/v1/projects/{key}/settings") for key in ("YOUR_WRITE_KEY", keys.read_key)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert keys.read_key[5:] not in str(logged)
    assert "/v1/projects/em_…/settings" in str(logged)
