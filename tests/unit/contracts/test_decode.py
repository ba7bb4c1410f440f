"""The rules of one event: every reason, every alias, every default."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventmill.contracts.decode import (
    AppRules,
    DecodeContext,
    EnvelopeContext,
    Filtered,
    Rejected,
    decode_event,
)
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.event_ids import new_event_id
from eventmill.contracts.parse import ALIASES, nesting
from eventmill.contracts.plan import plan_of
from eventmill.contracts.reasons import RULES, Reason

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HISTORY_START = datetime(2025, 1, 1, tzinfo=UTC)
PLAN = plan_of({"purchase": (b'{"properties":{"price":{"type":"number"}}}', "quarantine")})
SHOP = AppRules("shop", plan=PLAN)
LEAST: dict[str, Any] = {"event_type": "click", "user_id": "u"}


def context(*, app: AppRules | None = SHOP, history: bool = False, **defaults: str | bool) -> DecodeContext:
    return DecodeContext(app, EnvelopeContext("shop", NOON, history, defaults), HISTORY_START, lambda: "new-id")


def stored(event: Any, rules: DecodeContext | None = None) -> StoredEvent:
    decoded = decode_event(event if isinstance(event, bytes) else msgspec.json.encode(event), rules or context())
    assert isinstance(decoded, StoredEvent), decoded
    return decoded


def rejected(event: Any, rules: DecodeContext | None = None) -> Rejected:
    decoded = decode_event(event if isinstance(event, bytes) else msgspec.json.encode(event), rules or context())
    assert isinstance(decoded, Rejected), decoded
    return decoded


def test_the_least_event_gets_its_defaults() -> None:
    event = stored(LEAST)
    assert (event.app_id, event.event_id, event.event_name) == ("shop", "new-id", "click")
    assert (event.event_time, event.received_at, event.timestamp) == (NOON, NOON, None)
    assert (event.event_date, event.event_hour, event.shifted) == (date(2026, 3, 1), 12, False)
    assert (event.source, event.is_bot, event.schema_version, event.properties) == ("server", False, "1.0.0", "{}")


REJECTIONS: list[tuple[Any, Reason, str]] = [
    (b"{torn", Reason.MALFORMED_JSON, "$"),
    (b"", Reason.MALFORMED_JSON, "$"),
    (b'{"event_type":"a","user_id":"\xff"}', Reason.MALFORMED_JSON, "$"),
    (b'{"event_type":"a","user_id":"u","other":"\xff"}', Reason.MALFORMED_JSON, "$.properties"),
    (b'{"event_type":"a","user_id":"u","other":1,"properties":{"\xff":1}}', Reason.MALFORMED_JSON, "$.properties"),
    (b'{"event_type":"a","user_id":"u","_metadata":{"\xff":1}}', Reason.MALFORMED_JSON, "$._metadata"),
    (b"[1]", Reason.NOT_AN_OBJECT, "$"),
    (b"null", Reason.NOT_AN_OBJECT, "$"),
    (LEAST | {"properties": [1]}, Reason.NOT_AN_OBJECT, "$.properties"),
    (LEAST | {"properties": {"text": "x" * 32_768}}, Reason.TOO_LARGE, "$"),
    (LEAST | {"properties": msgspec.Raw(b'{"a":' * 16 + b"1" + b"}" * 16)}, Reason.TOO_DEEP, "$"),
    (LEAST | {"user_id": 7}, Reason.WRONG_TYPE, "$.user_id"),
    (LEAST | {"label": 7}, Reason.WRONG_TYPE, "$.label"),
    (LEAST | {"_metadata": 7}, Reason.WRONG_TYPE, "$._metadata"),
    (LEAST | {"_metadata": {"sdk_version": 7}}, Reason.WRONG_TYPE, "$._metadata.sdk_version"),
    (LEAST | {"event_id": "x" * 101}, Reason.TOO_LONG, "$.event_id"),
    (LEAST | {"session_id": "x" * 201}, Reason.TOO_LONG, "$.session_id"),
    (LEAST | {"duration_ms": -1}, Reason.OUT_OF_RANGE, "$.duration_ms"),
    (LEAST | {"duration": 2**63}, Reason.OUT_OF_RANGE, "$.duration"),
    (LEAST | {"timestamp": "2026-03-01T12:00:00"}, Reason.BAD_TIMESTAMP, "$.timestamp"),
    (LEAST | {"timestamp": 1_700_000_000}, Reason.BAD_TIMESTAMP, "$.timestamp"),
    (LEAST | {"timestamp": "0001-01-01T00:00:00+14:00"}, Reason.BAD_TIMESTAMP, "$.timestamp"),
    (
        LEAST | {"timestamp": "2026-03-01T12:00:00Z", "sent_at": "9999-12-31T00:00:00Z"},
        Reason.BAD_TIMESTAMP,
        "$.sent_at",
    ),
    (LEAST | {"sent_at": "0001-01-01T00:00:00+14:00"}, Reason.BAD_TIMESTAMP, "$.sent_at"),
    (LEAST | {"source": "fridge"}, Reason.INVALID_SOURCE, "$.source"),
    (LEAST | {"schema_version": "2.0.0"}, Reason.UNSUPPORTED_SCHEMA_VERSION, "$.schema_version"),
    (LEAST | {"schema_version": "1.0"}, Reason.UNSUPPORTED_SCHEMA_VERSION, "$.schema_version"),
    (LEAST | {"app_id": "blog"}, Reason.APP_MISMATCH, "$.app_id"),
    ({"event_type": "click"}, Reason.MISSING_IDENTITY, "$"),
    ({"event_type": "click", "user_id": ""}, Reason.MISSING_IDENTITY, "$"),
    ({"user_id": "u"}, Reason.MISSING_EVENT_TYPE, "$.event_type"),
    (LEAST | {"event_type": "purchase", "properties": {"price": "x"}}, Reason.PLAN_VIOLATION, "$.properties.price"),
    (LEAST | {"timestamp": "2025-11-30T11:59:59Z"}, Reason.TOO_OLD, "$.timestamp"),
]


@pytest.mark.parametrize(("event", "reason", "path"), REJECTIONS)
def test_a_broken_rule_gives_its_reason_and_place(event: Any, reason: Reason, path: str) -> None:
    raw = event if isinstance(event, bytes) else msgspec.json.encode(event)
    found = rejected(raw)
    assert (found.reason, found.path, found.raw) == (reason, path, raw)
    assert found.message


def test_an_app_that_does_not_exist_takes_no_event() -> None:
    assert rejected(LEAST, context(app=None)).reason is Reason.UNKNOWN_APP


def test_history_before_the_first_partition_is_refused() -> None:
    old = LEAST | {"timestamp": "2024-12-31T23:59:59Z"}
    assert rejected(old, context(history=True)).reason is Reason.BEFORE_HISTORY_START


def test_every_reason_of_an_event_is_tried_here_and_has_a_rule() -> None:
    elsewhere = {Reason.UNKNOWN_APP, Reason.BEFORE_HISTORY_START, Reason.UNPARSABLE_LINE, Reason.POISON_ENVELOPE}
    assert {reason for _, reason, _ in REJECTIONS} | elsewhere == set(Reason) == set(RULES)


def test_what_is_exactly_as_old_as_retention_is_taken() -> None:
    assert stored(LEAST | {"timestamp": (NOON - timedelta(days=90)).isoformat()})


def test_retention_zero_keeps_for_ever() -> None:
    old = LEAST | {"timestamp": "2025-02-01T00:00:00Z"}
    assert stored(old, context(app=AppRules("shop", 0))).event_date == date(2025, 2, 1)


def test_an_app_that_keeps_events_for_ever_has_no_partition_before_history_either() -> None:
    old = LEAST | {"timestamp": (HISTORY_START - timedelta(seconds=1)).isoformat()}
    for_ever = AppRules("shop", retention_days=0)
    assert rejected(old, context(app=for_ever)).reason is Reason.BEFORE_HISTORY_START


def test_history_may_be_older_than_retention() -> None:
    assert stored(LEAST | {"timestamp": "2025-01-01T00:00:00Z"}, context(history=True)).event_hour == 0


@pytest.mark.parametrize("size", [32_767, 32_768])
def test_an_event_of_the_limits_size_is_taken(size: int) -> None:
    empty = msgspec.json.encode(LEAST | {"properties": {"text": ""}})
    raw = msgspec.json.encode(LEAST | {"properties": {"text": "x" * (size - len(empty))}})
    assert len(raw) == size
    assert stored(raw)


def test_sixteen_levels_are_taken() -> None:
    assert stored(LEAST | {"properties": msgspec.Raw(b'{"a":' * 15 + b"1" + b"}" * 15)})


def test_a_string_without_its_end_hides_what_follows() -> None:
    assert nesting(b'[["[' + rb"\"[" * 1_000) == 2


def test_brackets_in_strings_are_no_levels() -> None:
    assert stored(LEAST | {"properties": {"text": '[{"\\' * 100}})


@pytest.mark.parametrize(("alias", "name"), [(a, n) for a, n in ALIASES.items() if n not in ("properties", "page_url")])
def test_an_alias_means_its_field(alias: str, name: str) -> None:
    value: Any = 5 if name == "duration_ms" else "x"
    event = {"event_type": "click", "anonymous_id": "a"} | {alias: value}
    if name == "event_type":
        del event["event_type"]
    found = stored(event)
    assert getattr(found, name) == value
    assert found.properties == "{}"


def test_path_means_page_url_and_makes_a_page_view() -> None:
    event = stored({"path": "/a?utm_source=x", "user_id": "u"})
    assert (event.page_url, event.page_path, event.event_type, event.utm_source) == ("/a", "/a", "page_view", "x")


def test_metadata_means_properties() -> None:
    assert stored(LEAST | {"metadata": {"a": 1}}).properties == '{"a":1}'


def test_nested_metadata_gives_source_and_sdk_version() -> None:
    event = stored(LEAST | {"_metadata": {"source": "api", "sdk_version": "3.1"}})
    assert (event.source, event.sdk_version) == ("server", "3.1")


def test_a_number_as_user_pk_becomes_text() -> None:
    assert stored({"event_type": "a", "user_pk": 12}).user_id == "12"


def test_the_canonical_name_wins_and_the_alias_is_kept() -> None:
    event = stored(LEAST | {"type": "other"})
    assert (event.event_type, event.properties) == ("click", '{"type":"other"}')


@pytest.mark.parametrize("first", ["user_id", "user_pk"])
def test_an_alias_stands_in_for_a_null(first: str) -> None:
    fields = {"user_id": None, "user_pk": 5}
    event = {first: fields[first]} | fields | {"event_type": "a"}
    assert stored(event).user_id == "5"


def test_unknown_fields_join_the_properties_as_they_were_sent() -> None:
    raw = b'{"event_type":"a","user_id":"u","properties":{"x":1},"y":1.50,"x":2}'
    assert stored(raw).properties == '{"x":1,"y":1.50,"_top_level":{"x":2}}'


def test_a_higher_minor_version_is_taken() -> None:
    assert stored(LEAST | {"schema_version": "1.9.0", "novelty": 1}).schema_version == "1.9.0"


def test_the_envelope_fills_what_the_payload_leaves_out() -> None:
    rules = context(source="web", os="iOS", browser="Safari", device_type="mobile", country="DE", is_bot=True)
    filled = stored(LEAST, rules)
    assert (filled.source, filled.os, filled.browser, filled.is_bot) == ("web", "iOS", "Safari", True)
    own = stored(LEAST | {"source": "mobile", "os": "Android", "is_bot": False}, rules)
    assert (own.source, own.os, own.is_bot) == ("mobile", "Android", False)


def test_a_rejected_event_keeps_its_id_where_it_can_be_told() -> None:
    assert rejected(LEAST | {"event_id": "e", "duration_ms": -1}).event_id == "e"
    assert rejected({"event_id": "e"}).event_id == "e"
    assert rejected(b'{"event_id":"e"').event_id is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
field_names = st.sampled_from([*StoredEvent.__struct_fields__, "opt_out", *ALIASES, "_metadata", "other"])


@given(st.binary(max_size=200))
@example(b"\\")
@example(b'{"a":"\\ud800"}')
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(decode_event(raw, context()), Rejected | Filtered | StoredEvent)


@given(st.dictionaries(field_names, json_values, max_size=6))
def test_no_object_raises_and_what_is_stored_obeys_the_rules(fields: dict[str, Any]) -> None:
    raw = msgspec.json.encode(LEAST | fields)
    decoded = decode_event(raw, context())
    if isinstance(decoded, Rejected):
        assert decoded.raw == raw
        return
    if isinstance(decoded, Filtered):
        assert fields["opt_out"] is True
        return
    assert decoded.user_id or decoded.anonymous_id or decoded.session_id
    assert isinstance(msgspec.json.decode(decoded.properties), dict)
    assert decoded.event_time <= NOON + timedelta(hours=1)


@given(st.dictionaries(st.text(min_size=1).map(lambda name: f"x-{name}"), json_values, max_size=4))
def test_unknown_fields_are_never_lost(unknown: dict[str, Any]) -> None:
    raw = msgspec.json.encode(LEAST | unknown)
    if nesting(raw) <= 16:
        assert msgspec.json.decode(stored(raw).properties) == msgspec.json.decode(msgspec.json.encode(unknown))


@given(json_values)
def test_nesting_is_that_of_the_value(value: Any) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert nesting(msgspec.json.encode(value)) == depth(value)


def test_assigned_ids_are_ordered_by_time_and_of_version_seven() -> None:
    early, late = (uuid.UUID(new_event_id(now_ms)) for now_ms in (1_700_000_000_000, 1_700_000_000_001))
    assert early < late
    assert (early.version, early.variant) == (7, uuid.RFC_4122)
    assert early.int >> 80 == 1_700_000_000_000
    assert len({new_event_id(0) for _ in range(1_000)}) == 1_000
