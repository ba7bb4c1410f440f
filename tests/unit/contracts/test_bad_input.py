"""Hostile events and bodies: a clear reason in bounded time, or stored as they are."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Rejected, decode_event
from eventmill.contracts.envelope import split_body
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.reasons import Reason
from tests.bad_input import BAD_EVENTS, HOSTILE_BODIES, ODD_EVENTS, TEXT_FIELDS, TEXTS, event

pytestmark = pytest.mark.timeout(20)
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
CONTEXT = DecodeContext(AppRules("shop"), EnvelopeContext("shop", NOW))


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_a_bad_event_is_rejected_for_its_reason_with_its_bytes(name: str) -> None:
    raw, reason = BAD_EVENTS[name]
    decoded = decode_event(raw, CONTEXT)
    assert isinstance(decoded, Rejected)
    assert (decoded.reason, decoded.raw) == (reason, raw)
    assert decoded.message


@pytest.mark.parametrize("name", ODD_EVENTS)
def test_an_odd_event_is_stored_as_it_was_meant(name: str) -> None:
    raw, field, value = ODD_EVENTS[name]
    decoded = decode_event(raw, CONTEXT)
    assert isinstance(decoded, StoredEvent), decoded
    assert getattr(decoded, field) == value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_any_text_in_any_field_is_stored_as_it_is(field: str, text: str) -> None:
    decoded = decode_event(event(**{field: text}), CONTEXT)
    assert isinstance(decoded, StoredEvent), decoded
    assert getattr(decoded, field) == text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_in_properties_comes_back(text: str) -> None:
    decoded = decode_event(event(properties={text: text}), CONTEXT)
    assert isinstance(decoded, StoredEvent), decoded
    assert json.loads(decoded.properties) == {text: text}


@pytest.mark.parametrize("name", HOSTILE_BODIES)
def test_a_hostile_body_falls_into_rejected_events(name: str) -> None:
    # Its time is bounded by this module's timeout, its memory by the size of the body.
    for raw in split_body(HOSTILE_BODIES[name]):
        assert isinstance(decode_event(raw, CONTEXT), Rejected)


BAD = st.sampled_from([raw for raw, _ in BAD_EVENTS.values() if b"\n" not in raw])
GOOD = st.builds(lambda text: event(event_name=text), st.sampled_from([*TEXTS.values()]))


@given(st.lists(st.one_of(BAD, GOOD), min_size=1, max_size=12))
def test_bad_lines_never_touch_their_neighbours(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    assume(not body.startswith(b"["))  # that is an array, not lines
    reasons = dict(BAD_EVENTS.values())
    found = [decode_event(raw, CONTEXT) for raw in split_body(body)]
    assert [_reason(decoded) for decoded in found] == [reasons.get(line.strip()) for line in lines]


def _reason(decoded: Any) -> Reason | None:
    return decoded.reason if isinstance(decoded, Rejected) else None
