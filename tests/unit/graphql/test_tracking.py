"""`trackEvents` in the gateway's words, and what the gateway says in GraphQL's."""

from typing import Any

import httpx
import msgspec
import pytest
from litestar.datastructures import State

from eventmill.settings import Settings
from query_service.graphql.context import Context
from query_service.graphql.gateway import Gateway, Sender
from query_service.graphql.http import Asked, execute
from query_service.graphql.tracking import EventInput, as_sent

MUTATION = """
mutation($events: [EventInput!]!, $user: ID, $app: String) {
    trackEvents(events: $events, userId: $user, appId: $app, device: "phone") {success eventCount errors}
}
"""
ACCEPTED = {"event_id": "e1", "status": "accepted", "reason": None}
QUARANTINED = {
    "event_id": None,
    "status": "quarantined",
    "reason": "invalid_timestamp",
    "path": "$.timestamp",
    "message": "no instant",
    "rule": "RFC 3339",
}


def answer(*events: dict[str, Any]) -> httpx.Response:
    counts = dict.fromkeys(("accepted", "duplicate", "quarantined", "filtered"), 0)
    for one in events:
        counts[one["status"]] += 1
    return httpx.Response(200, json={**counts, "events": list(events)})


class FakeGateway(httpx.AsyncBaseTransport):
    """Answers every request alike, and keeps the last one."""

    def __init__(self, said: httpx.Response | Exception) -> None:
        self.said = said
        self.request = httpx.Request("GET", "http://nobody")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


async def track(fake: FakeGateway, events: Any, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    gateway = Gateway(Settings(ingest_url="http://gateway"), fake)
    sender = Sender("192.0.2.7", {"authorization": "Bearer em_w_key", **(headers or {})})
    context = Context(State({"gateway": gateway}), None, sender)
    try:
        return dict(await execute(Asked(MUTATION, {"events": events, **more}), context))
    finally:
        await gateway.close()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "click", "name": "buy"}, {"event_type": "click", "event_name": "buy"}),
        ({"type": "click", "label": "buy"}, {"event_type": "click", "event_name": "buy"}),
        ({"name": "buy", "label": "red"}, {"event_name": "buy", "properties": {"label": "red"}}),
        (
            {"name": "buy", "label": "red", "metadata": {"label": "own"}},
            {"event_name": "buy", "properties": {"label": "own"}},
        ),
        ({"path": "/cart", "duration": 1200}, {"page_url": "/cart", "duration_ms": 1200}),
        (
            {"id": "e1", "device": "tv", "metadata": {"a": 1}},
            {"event_id": "e1", "device_type": "tv", "properties": {"a": 1}},
        ),
        ({"user_id": "u2", "page_title": "Cart"}, {"user_id": "u2", "page_title": "Cart"}),
        ({}, {}),
    ],
)
def test_an_event_is_sent_in_the_contracts_words(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert as_sent(EventInput(**given), {}) == sent


def test_what_the_call_says_holds_for_events_that_do_not_say_it() -> None:
    usual = {"user_id": "u1", "device_type": "phone", "app_id": None}
    assert as_sent(EventInput(type="a", device="tv"), usual) == {
        "user_id": "u1",
        "device_type": "tv",
        "event_type": "a",
    }


async def test_the_call_is_one_request_with_the_clients_own_key_and_address() -> None:
    fake = FakeGateway(answer(ACCEPTED))
    headers = {
        "x-session-id": "s1",
        "x-user-id": "of the header",
        "x-forwarded-for": "198.51.100.1",
        "cookie": "secret",
    }
    await track(fake, [{"type": "a"}, {"type": "b", "sessionId": "s2"}], headers, user=7, app="shop")
    usual = {"app_id": "shop", "user_id": "7", "device_type": "phone"}
    assert msgspec.json.decode(fake.request.content) == [
        {**usual, "session_id": "s1", "event_type": "a"},
        {**usual, "session_id": "s2", "event_type": "b"},
    ]
    assert (fake.request.url.path, fake.request.headers["authorization"]) == ("/v1/events", "Bearer em_w_key")
    assert fake.request.headers["x-forwarded-for"] == "198.51.100.1, 192.0.2.7"
    assert "cookie" not in fake.request.headers


async def test_each_event_is_answered_and_a_bad_one_is_named() -> None:
    found = await track(FakeGateway(answer(ACCEPTED, QUARANTINED)), [{"type": "a"}, {"type": "b"}])
    line = "events[1]: invalid_timestamp at $.timestamp: no instant"
    assert found == {"data": {"trackEvents": {"success": False, "eventCount": 1, "errors": [line]}}}


@pytest.mark.parametrize(
    ("said", "extensions"),
    [
        (
            httpx.Response(401, json={"detail": "no key", "field": "Authorization", "rule": "a write key"}),
            {"code": "UNAUTHENTICATED", "field": "Authorization", "rule": "a write key"},
        ),
        (httpx.Response(403, json={"detail": "no"}), {"code": "FORBIDDEN"}),
        (httpx.Response(413, json={"detail": "no", "rule": "500 KB"}), {"code": "TOO_LARGE", "rule": "500 KB"}),
        (
            httpx.Response(429, json={"detail": "no"}, headers={"Retry-After": "7"}),
            {"code": "RATE_LIMITED", "retry_after": 7},
        ),
        (
            httpx.Response(503, json={"detail": "no"}, headers={"Retry-After": "3"}),
            {"code": "UNAVAILABLE", "retry_after": 3},
        ),
        (httpx.Response(502, text="<html>"), {"code": "UNAVAILABLE", "retry_after": 2}),
        (httpx.ConnectError("refused"), {"code": "UNAVAILABLE", "retry_after": 2}),
    ],
)
async def test_a_refusal_of_the_gateway_is_an_error_with_its_own_words(
    said: httpx.Response | Exception, extensions: dict[str, Any]
) -> None:
    found = await track(FakeGateway(said), [{"type": "a"}])
    [error] = found["errors"]
    assert (found["data"], error["extensions"]) == ({"trackEvents": None}, extensions)


async def test_no_event_is_no_request() -> None:
    fake = FakeGateway(answer())
    [error] = (await track(fake, []))["errors"]
    assert (error["extensions"]["field"], fake.request.method) == ("events", "GET")


@pytest.mark.parametrize("question", ["{apps {appId}}", "{topPages {id}}", '{funnel(steps: ["a", "b"]) {step}}'])
async def test_a_write_key_reads_nothing(question: str) -> None:
    found = await execute(Asked(question), Context(State({"path": None}), None, Sender("")))
    assert [error["extensions"]["code"] for error in found["errors"]] == ["FORBIDDEN"]
