"""Which envelope an event goes into, and what its line carries."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmill.contracts.batch import LEAST_USUAL
from eventmill.contracts.decode import (
    AppRules,
    DecodeContext,
    Decoded,
    EnvelopeContext,
    Filtered,
    Rejected,
    decode_event,
)
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.filters import FilterKind, Filters
from eventmill.contracts.limits import MAX_EVENT_BYTES
from eventmill.contracts.reasons import Reason
from eventmill.errors import NotReadyError
from ingest_service.gateway.intake import RequestFacts, splice, take_in
from ingest_service.gateway.problems import Problem

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def facts(
    *apps: str, default_app: str | None = None, source: str = "server", history: bool = False, has_salt: bool = True
) -> RequestFacts:
    def visitor_id(app_id: str) -> str:
        if not has_salt:
            raise NotReadyError("no salt")
        return f"daily-{app_id}"

    return RequestFacts(
        apps={app_id: AppRules(app_id) for app_id in apps or ("shop",)},
        default_app=default_app,
        received_at=NOON,
        history=history,
        history_start=datetime(2025, 1, 1, tzinfo=UTC),
        defaults={"source": source},
        visitor_id=visitor_id,
    )


def as_the_writer(line: bytes, source: str = "server") -> Decoded:
    envelope = EnvelopeContext("shop", NOON, False, {"source": source})
    return decode_event(line, DecodeContext(AppRules("shop"), envelope))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"event_type":"a","user_id":"u"}',
        b' { "event_type":"a" , "user_id":"u" } ',
        b'{"event_type":"a","user_id":"u","event_id":null}',
        b'{"event_id":"","event_type":"a","user_id":"u"}',
    ],
)
def test_a_missing_id_is_spliced_into_the_line(raw: bytes) -> None:
    (envelope,), (verdict,) = take_in([raw], facts())
    event = as_the_writer(envelope.lines[0])
    assert isinstance(event, StoredEvent)
    assert event.event_id == verdict.event_id
    assert event.event_type == "a"


def test_an_event_with_an_id_travels_byte_for_byte() -> None:
    raw = b'{"event_type":"a",  "user_id":"u","event_id":"e","x":1.50}'
    (envelope,), (verdict,) = take_in([raw], facts())
    assert envelope.lines == [raw]
    assert verdict.event_id == "e"


def test_a_rejected_event_travels_byte_for_byte() -> None:
    events = [b"{torn", b'{"event_type":"a"}', b"\xff"]
    (envelope,), verdicts = take_in(events, facts())
    assert envelope.lines == events
    assert not any(verdict.is_good for verdict in verdicts)


def test_an_event_of_the_limits_size_keeps_its_place_without_an_id() -> None:
    empty = msgspec.json.encode({"event_type": "a", "user_id": "u", "properties": {"text": ""}})
    raw = empty.replace(b'""', b'"' + b"x" * (MAX_EVENT_BYTES - len(empty)) + b'"')
    (envelope,), (verdict,) = take_in([raw], facts())
    assert envelope.lines == [raw]
    assert verdict.is_good
    assert verdict.event_id is None


def test_a_web_event_without_any_id_gets_the_visitors() -> None:
    (envelope,), (verdict,) = take_in([b'{"page_url":"/"}'], facts(source="web"))
    event = as_the_writer(envelope.lines[0], "web")
    assert isinstance(event, StoredEvent)
    assert (event.anonymous_id, event.event_id) == ("daily-shop", verdict.event_id)


@pytest.mark.parametrize(
    ("raw", "source", "history"),
    [
        (b'{"page_url":"/"}', "server", False),
        (b'{"page_url":"/","source":"server"}', "web", False),
        (b'{"page_url":"/"}', "web", True),
    ],
)
def test_only_a_visitors_own_web_events_get_an_id(raw: bytes, source: str, *, history: bool) -> None:
    (envelope,), (verdict,) = take_in([raw], facts(source=source, history=history))
    assert isinstance(verdict.refused, Rejected)
    assert verdict.refused.reason is Reason.MISSING_IDENTITY
    assert envelope.lines == [raw]


def test_without_a_salt_a_request_that_needs_one_must_come_again() -> None:
    with pytest.raises(NotReadyError):
        take_in([b'{"page_url":"/"}'], facts(source="web", has_salt=False))


def test_verdicts_keep_the_order_of_the_request_across_apps() -> None:
    events = [b'{"event_type":"a","user_id":"u","app_id":"%s"}' % app for app in (b"b", b"a", b"b")]
    envelopes, verdicts = take_in(events, facts("a", "b"))
    assert [verdict.app_id for verdict in verdicts] == ["b", "a", "b"]
    assert {one.context.app_id: len(one.lines) for one in envelopes} == {"a": 1, "b": 2}


INTERNAL = Filters(networks=(ip_network("10.0.0.0/8"),), paths=("/admin/*",))


def internal(address: str, *, history: bool = False) -> RequestFacts:
    return replace(facts(history=history), apps={"shop": AppRules("shop", filters=INTERNAL)}, address=address)


def test_what_comes_from_an_internal_address_is_counted_and_not_sent() -> None:
    events = [b'{"event_type":"a","user_id":"u","event_id":"e"}', b"{torn"]
    (envelope,), verdicts = take_in(events, internal("10.1.2.3"))
    assert (envelope.lines, dict(envelope.filtered)) == ([], {"address": 2})
    assert [verdict.refused for verdict in verdicts] == [
        Filtered(FilterKind.ADDRESS, "e"),
        Filtered(FilterKind.ADDRESS, None),
    ]


def test_history_is_not_about_whom_it_comes_from() -> None:
    (envelope,), _ = take_in([b'{"event_type":"a","user_id":"u"}'], internal("10.1.2.3", history=True))
    assert (len(envelope.lines), envelope.filtered) == (1, {})


def test_internal_pages_are_counted_and_not_sent() -> None:
    page, event = b'{"page_url":"/admin/x","user_id":"u","event_id":"e"}', b'{"page_url":"/","user_id":"u"}'
    (envelope,), verdicts = take_in([page, event], internal("192.0.2.1"))
    assert (len(envelope.lines), dict(envelope.filtered)) == (1, {"path": 1})
    assert [verdict.is_good for verdict in verdicts] == [False, True]


SOME = st.sampled_from(
    [
        b'{"event_type":"a","user_id":"u","event_id":"e"}',
        b'{"event_type":"a","user_id":"u","event_id":null} ',
        b'{"type":"a","user_id":"u"}',
        b'{"page_url":"/"}',
        b'{"page_url":"/admin/x","event_id":"e"}',
        b'{"event_type":"a","user_id":"u","opt_out":true}',
        b'{"event_type":"a","user_id":7,"event_id":"e"}',
        b"{torn",
    ]
)


@given(st.lists(SOME, min_size=LEAST_USUAL, max_size=LEAST_USUAL + 8), st.sampled_from(["web", "server"]))
def test_many_events_are_judged_as_one_by_one(events: list[bytes], source: str) -> None:
    request = replace(internal("192.0.2.1"), defaults={"source": source})
    (together,), verdicts = take_in(events, request)
    apart = [take_in([raw], request) for raw in events]
    assert [verdict.refused for verdict in verdicts] == [verdict.refused for _, (verdict,) in apart]
    assert together.filtered == sum((envelope.filtered for (envelope,), _ in apart), Counter())
    lines = [line for (envelope,), _ in apart for line in envelope.lines]
    assert [without_assigned(line) for line in together.lines] == [without_assigned(line) for line in lines]
    good = [verdict.event_id for verdict in verdicts if verdict.refused is None]
    sent = [as_the_writer(line, source) for line in together.lines]
    assert good == [event.event_id for event in sent if isinstance(event, StoredEvent)]


def without_assigned(line: bytes) -> bytes:
    return re.sub(rb'"event_id":"[0-9a-f-]{36}"', b"", line)


def test_what_no_app_can_be_told_of_is_quarantined_in_one_of_the_keys_apps() -> None:
    (envelope,), (verdict,) = take_in([b"{torn"], facts("a", "b"))
    assert (envelope.context.app_id, verdict.is_good) == ("a", False)


def test_an_event_must_say_which_of_several_apps_it_is_for() -> None:
    with pytest.raises(Problem) as caught:
        take_in([b'{"event_type":"a","user_id":"u"}'], facts("a", "b"))
    assert (caught.value.status, caught.value.field) == (400, "app_id")
    (envelope,), _ = take_in([b'{"event_type":"a","user_id":"u"}'], facts("a", "b", default_app="b"))
    assert envelope.context.app_id == "b"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text())), st.text("abc-1", max_size=5))
def test_a_spliced_member_is_the_only_change(value: dict[str, object], text: str) -> None:
    spliced = splice(msgspec.json.encode(value), "event_id", text)
    assert msgspec.json.decode(spliced) == msgspec.json.decode(msgspec.json.encode(value)) | {"event_id": text}
