"""Segment's messages become our events: each call, each field, and every way to be wrong."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Rejected, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.limits import MAX_EVENT_BYTES
from eventmill.contracts.reasons import Reason
from ingest_service.gateway.segment.fields import members
from ingest_service.gateway.segment.mapping import EVENT_TYPES, Batch, to_event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LEAST: dict[str, Any] = {"messageId": "m1", "userId": "u1"}
TRACK: dict[str, Any] = LEAST | {"type": "track", "event": "Order Completed"}


def decoded(message: Any, kind: str | None = None, batch: Batch | None = None) -> StoredEvent | Rejected:
    raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
    rules = DecodeContext(AppRules("shop"), EnvelopeContext("shop", NOON))
    result = decode_event(to_event(raw, kind, batch or Batch()), rules)
    assert isinstance(result, StoredEvent | Rejected)
    return result


def stored(message: Any, kind: str | None = None, batch: Batch | None = None) -> StoredEvent:
    event = decoded(message, kind, batch)
    assert isinstance(event, StoredEvent), event
    return event


def properties(event: StoredEvent) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(event.properties)
    return found


def batch(**outer: Any) -> Batch:
    return Batch(members(msgspec.json.encode(outer.pop("context", {}))) or {}, outer.pop("sent_at", None))


def test_a_track_message_keeps_the_name_of_its_event_as_it_was_sent() -> None:
    event = stored(TRACK | {"properties": {"revenue": 19.90, "currency": "EUR", "coupon": None}})
    assert (event.event_id, event.event_type, event.event_name) == ("m1", "Order Completed", "Order Completed")
    assert (event.user_id, event.anonymous_id, event.source) == ("u1", None, "server")
    assert properties(event) == {"revenue": 19.90, "currency": "EUR", "coupon": None}


def test_a_name_that_is_too_long_for_a_type_is_kept_as_the_name() -> None:
    event = stored(TRACK | {"event": "x" * 101})
    assert (event.event_type, event.event_name) == ("track", "x" * 101)


def test_a_page_call_is_a_page_view_at_the_address_of_its_properties() -> None:
    page = {"url": "https://shop.example/cart?utm_source=mail#top", "path": "/cart", "title": "Cart", "referrer": "/"}
    message = {"anonymousId": "a1", "name": "Cart", "category": "Checkout", "properties": page}
    event = stored(message | {"context": {"page": {"url": "https://shop.example/old", "title": "Old"}}}, "page")
    assert (event.event_type, event.event_name, event.anonymous_id) == ("page_view", "Cart", "a1")
    assert (event.page_url, event.page_path, event.page_title) == ("https://shop.example/cart", "/cart", "Cart")
    assert (event.page_query, event.referrer, event.utm_source) == ("utm_source=mail", "/", "mail")
    assert properties(event) == page | {"name": "Cart", "category": "Checkout"}


def test_without_properties_a_page_call_is_at_the_address_of_its_context() -> None:
    page = {"url": "https://shop.example/cart", "path": "/cart", "search": "?gclid=1", "title": "Cart", "referrer": ""}
    event = stored(LEAST | {"context": {"page": page}}, "page")
    assert (event.page_url, event.page_query, event.page_title) == ("https://shop.example/cart", "gclid=1", "Cart")
    assert (event.event_name, event.referrer) == ("page_view", None)
    assert properties(event) == {}


def test_half_of_an_address_is_not_completed_by_another_pages() -> None:
    context = {"page": {"url": "https://shop.example/old?a=1", "search": "?a=1"}}
    event = stored(LEAST | {"properties": {"path": "/new"}, "context": context}, "page")
    assert (event.page_url, event.page_path, event.page_query) == ("/new", "/new", None)


def test_any_other_call_is_at_the_page_of_its_context_whatever_its_properties_say() -> None:
    context = {"page": {"url": "https://shop.example/cart"}}
    event = stored(TRACK | {"properties": {"url": "https://other.example"}, "context": context})
    assert event.page_url == "https://shop.example/cart"
    assert properties(event) == {"url": "https://other.example"}


def test_a_screen_call_is_a_screen_view() -> None:
    event = stored(LEAST | {"name": "Basket", "category": "Shop", "properties": {"items": 3}}, "screen")
    assert (event.event_type, event.event_name, event.page_url) == ("screen_view", "Basket", None)
    assert properties(event) == {"items": 3, "name": "Basket", "category": "Shop"}


def test_an_identify_call_carries_both_ids_and_keeps_the_traits() -> None:
    event = stored(LEAST | {"anonymousId": "a1", "traits": {"plan": "pro"}}, "identify")
    assert (event.event_type, event.user_id, event.anonymous_id) == ("identify", "u1", "a1")
    assert properties(event) == {"traits": {"plan": "pro"}}


def test_a_group_call_keeps_group_and_traits() -> None:
    event = stored(LEAST | {"groupId": "g1", "traits": {"name": "Acme"}}, "group")
    assert event.event_type == "group"
    assert properties(event) == {"group_id": "g1", "traits": {"name": "Acme"}}


def test_an_alias_call_ties_the_previous_id_to_the_user() -> None:
    event = stored(LEAST | {"previousId": "old", "anonymousId": "a1"}, "alias")
    assert (event.event_type, event.user_id, event.anonymous_id) == ("alias", "u1", "old")
    assert properties(event) == {"previous_id": "old", "anonymous_id": "a1"}


def test_an_alias_of_a_user_to_himself_keeps_the_anonymous_id() -> None:
    event = stored(LEAST | {"previousId": "u1", "anonymousId": "a1"}, "alias")
    assert (event.user_id, event.anonymous_id) == ("u1", "a1")


def test_times_are_those_of_the_clients_clock() -> None:
    times = {"timestamp": "2026-03-01T10:00:00.123Z", "sentAt": "2026-03-01T11:00:00.123+01:00"}
    event = stored(TRACK | times)
    assert event.timestamp == datetime(2026, 3, 1, 10, 0, 0, 123_000, tzinfo=UTC)
    # sent at 10:00 by the client's clock, received at noon: the clock is two hours late
    assert event.event_time == NOON


def test_the_original_timestamp_goes_before_one_that_segment_corrected() -> None:
    event = stored(TRACK | {"timestamp": "2026-03-01T10:00:00Z", "originalTimestamp": "2026-03-01T09:00:00Z"})
    assert event.timestamp == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_batch_gives_its_messages_what_they_do_not_say_themselves() -> None:
    outer = batch(
        context={"locale": "de-DE", "app": {"name": "Shop", "version": "1.0"}, "ip": "192.0.2.1"},
        sent_at=Raw(b'"2026-03-01T12:00:00Z"'),
    )
    event = stored(TRACK | {"context": {"app": {"version": "2.0"}}}, None, outer)
    assert (event.app_version, event.sent_at) == ("2.0", NOON)
    assert (event.locale, properties(event)) == ("de-DE", {"context": {"app": {"name": "Shop"}}})
    own = stored(TRACK | {"sentAt": "2026-03-01T11:59:30Z"}, None, outer)
    assert own.sent_at == datetime(2026, 3, 1, 11, 59, 30, tzinfo=UTC)


def test_the_user_agent_tells_of_the_client_and_is_not_kept() -> None:
    event = stored(TRACK | {"context": {"userAgent": FIREFOX}})
    assert (event.source, event.device_type, event.os, event.browser) == ("web", "desktop", "Linux", "Firefox")
    assert event.is_bot is False
    assert properties(event) == {}


def test_what_the_context_says_outright_wins_over_the_user_agent() -> None:
    context = {
        "userAgent": FIREFOX,
        "os": {"name": "iPadOS", "version": "19.1"},
        "device": {"type": "ios", "model": "iPad15,1", "manufacturer": "Apple"},
        "library": {"name": "analytics-ios", "version": "4.1.8"},
        "sessionId": 1740830000,
    }
    event = stored(TRACK | {"context": context})
    assert (event.os, event.device_type, event.source) == ("iPadOS", "tablet", "mobile")
    assert (event.sdk_version, event.session_id) == ("analytics-ios/4.1.8", "1740830000")
    kept = {"device": {"type": "ios", "model": "iPad15,1", "manufacturer": "Apple"}, "os": {"version": "19.1"}}
    assert properties(event) == {"context": kept}


@pytest.mark.parametrize(
    ("library", "source"),
    [
        ("analytics.js", "web"),
        ("analytics-python", "server"),
        ("@segment/analytics-node", "server"),
        ("@segment/analytics-react-native", "mobile"),
        ("analytics-kotlin", "mobile"),
        ("analytics_flutter", "mobile"),
    ],
)
def test_the_library_says_where_a_message_comes_from(library: str, source: str) -> None:
    assert stored(TRACK | {"context": {"library": {"name": library}}}).source == source


def test_campaign_locale_zone_and_consent_have_fields_of_their_own() -> None:
    campaign = {"source": "mail", "medium": "email", "name": "spring", "term": "t", "content": "c", "id": "7"}
    consent = {"categoryPreferences": {"Advertising": False}}
    context = {"campaign": campaign, "locale": "de-DE", "timezone": "Europe/Berlin", "consent": consent}
    event = stored(TRACK | {"context": context})
    assert (event.utm_source, event.utm_medium, event.utm_campaign) == ("mail", "email", "spring")
    assert (event.utm_term, event.utm_content) == ("t", "c")
    assert (event.locale, event.time_zone) == ("de-DE", "Europe/Berlin")
    assert properties(event) == {"consent": {"Advertising": False}, "context": {"campaign": {"id": "7"}}}


def test_members_of_the_context_that_are_of_another_type_stay_there() -> None:
    context = {"page": "/cart", "os": {"name": 7}, "locale": None, "userAgent": [1], "device": {"type": {}}}
    event = stored(TRACK | {"context": context})
    assert (event.os, event.page_url) == (None, None)
    kept = {"page": "/cart", "os": {"name": 7}, "userAgent": [1], "device": {"type": {}}}
    assert properties(event) == {"context": kept}


def test_an_address_is_never_kept() -> None:
    good = stored(TRACK | {"context": {"ip": "192.0.2.77"}, "ip": "192.0.2.77"})
    assert "192.0.2.77" not in good.properties
    bad = decoded(TRACK | {"userId": [], "context": {"ip": "192.0.2.77", "os": {"name": "iOS"}}})
    assert isinstance(bad, Rejected)
    assert b"192.0.2.77" not in bad.raw
    assert b'"os":{"name":"iOS"}' in bad.raw


def test_nothing_else_is_lost_and_a_property_keeps_its_name() -> None:
    message = TRACK | {
        "channel": "server",
        "context": {"campaign": {}, "locale": ""},
        "traits": {"a": 1},
        "properties": {"traits": "mine", "_x": 1},
    }
    event = stored(message | {"integrations": {"All": True}, "_metadata": {"nodeVersion": "v20"}, "writeKey": "k"})
    assert properties(event) == {
        "traits": "mine",
        "_x": 1,
        "_segment": {"channel": "server", "traits": {"a": 1}},
    }


def test_numbers_are_kept_as_they_were_written() -> None:
    raw = b'{"type":"track","event":"a","userId":12,"properties":{"price":1.50,"big":123456789012345678901234567890}}'
    event = stored(raw)
    assert event.user_id == "12"
    assert event.properties == '{"price":1.50,"big":123456789012345678901234567890}'


WRONG: list[tuple[Any, Reason, str]] = [
    (b"{torn", Reason.MALFORMED_JSON, "$"),
    (b'{"type":"track","event":"a","userId":"u","properties":{"x":NaN}}', Reason.MALFORMED_JSON, "$"),
    (b'{"type":"track","event":"a","userId":"u","properties":{"x":"\xff"}}', Reason.MALFORMED_JSON, "$"),
    ([TRACK], Reason.NOT_AN_OBJECT, "$"),
    (7, Reason.NOT_AN_OBJECT, "$"),
    (LEAST, Reason.MISSING_EVENT_TYPE, "$.type"),
    (LEAST | {"type": "delete"}, Reason.WRONG_TYPE, "$.type"),
    (LEAST | {"type": "track"}, Reason.MISSING_EVENT_TYPE, "$.event"),
    (TRACK | {"event": 7}, Reason.WRONG_TYPE, "$.event"),
    (TRACK | {"event": "x" * 201}, Reason.TOO_LONG, "$.event"),
    (TRACK | {"userId": 1.5}, Reason.WRONG_TYPE, "$.userId"),
    (TRACK | {"anonymousId": True}, Reason.WRONG_TYPE, "$.anonymousId"),
    (TRACK | {"userId": "x" * 201}, Reason.TOO_LONG, "$.userId"),
    (TRACK | {"userId": None}, Reason.MISSING_IDENTITY, "$"),
    (TRACK | {"messageId": "x" * 101}, Reason.TOO_LONG, "$.messageId"),
    (TRACK | {"timestamp": "yesterday"}, Reason.BAD_TIMESTAMP, "$.timestamp"),
    (TRACK | {"timestamp": 1_700_000_000}, Reason.BAD_TIMESTAMP, "$.timestamp"),
    (TRACK | {"sentAt": "2026-03-01T12:00:00"}, Reason.BAD_TIMESTAMP, "$.sentAt"),
    (TRACK | {"properties": [1]}, Reason.NOT_AN_OBJECT, "$.properties"),
    (TRACK | {"traits": "x"}, Reason.NOT_AN_OBJECT, "$.traits"),
    (TRACK | {"context": 7}, Reason.NOT_AN_OBJECT, "$.context"),
    (LEAST | {"type": "page", "name": {}}, Reason.WRONG_TYPE, "$.name"),
    (LEAST | {"type": "group", "groupId": []}, Reason.WRONG_TYPE, "$.groupId"),
    (TRACK | {"properties": {"text": "x" * MAX_EVENT_BYTES}}, Reason.TOO_LARGE, "$"),
    (TRACK | {"context": {"a": Raw(b"[" * 14 + b"]" * 14)}}, Reason.TOO_DEEP, "$"),
]


@pytest.mark.parametrize(("message", "reason", "path"), WRONG)
def test_a_message_that_breaks_a_rule_is_rejected_whole_at_segments_own_name(
    message: Any, reason: Reason, path: str
) -> None:
    raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
    event = decoded(raw)
    assert isinstance(event, Rejected)
    assert (event.reason, event.path, event.raw) == (reason, path, raw)
    assert path[2:] in event.message


def test_a_rejected_message_keeps_its_id() -> None:
    event = decoded(TRACK | {"properties": 7})
    assert event.event_id == "m1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
NAMES = ["type", "event", "messageId", "userId", "anonymousId", "previousId", "groupId", "name", "category", "traits"]
NAMES += ["timestamp", "originalTimestamp", "sentAt", "context", "properties", "integrations", "channel", "ip"]
PARTS = [
    "page",
    "campaign",
    "device",
    "os",
    "app",
    "library",
    "locale",
    "timezone",
    "consent",
    "userAgent",
    "sessionId",
]
CONTEXT = st.dictionaries(st.sampled_from(PARTS), JSON | st.dictionaries(st.sampled_from(["name", "url"]), JSON))
MESSAGE = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON) | {"context": JSON | CONTEXT})


@given(st.binary(), st.sampled_from([None, *EVENT_TYPES]))
def test_any_bytes_become_an_event_or_go_to_quarantine(raw: bytes, kind: str | None) -> None:
    decoded(raw, kind)


@given(MESSAGE | MESSAGE.map(lambda message: TRACK | message), st.sampled_from([None, *EVENT_TYPES]), CONTEXT)
def test_any_json_becomes_an_event_or_goes_to_quarantine_as_it_was(
    message: dict[str, Any], kind: str | None, outer: dict[str, Any]
) -> None:
    raw = msgspec.json.encode(message)
    event = decoded(raw, kind, batch(context=outer))
    if isinstance(event, Rejected) and event.path not in {"$.timestamp", "$.sent_at"}:
        assert len(event.raw) <= len(raw)
