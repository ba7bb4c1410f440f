"""Bodies and headers of envelopes."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.envelope import Section, encode_lines, split_body, split_envelope, unwrap

SHOP = EnvelopeContext("shop", datetime(2026, 3, 1, tzinfo=UTC))
A, B = b'{"a":1}', b'{"b":[1,"],{"]}'

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
objects = st.dictionaries(st.text(), scalars | st.lists(scalars, max_size=3), max_size=4)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"", []),
        (b" \r\n ", []),
        (b"[]", []),
        (A, [A]),
        (b"[" + A + b", " + B + b"]", [A, B]),
        (A + b"\r\n\n" + B + b"\n", [A, B]),
        (b'{\n "a": 1\n}', [b'{\n "a": 1\n}']),
        (A + b"\n{torn\n" + B, [A, b"{torn", B]),
        (b"nonsense", [b"nonsense"]),
    ],
)
def test_a_body_is_one_event_an_array_or_ndjson(body: bytes, events: list[bytes]) -> None:
    assert split_body(body) == events


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"[" + A + b",{bad}," + B + b"]", [A, b"{bad}", B]),
        (b"[" + A + b',{"cut":', [A, b'{"cut":']),
        (b"[" + A + b"," + B, [A, B]),
        (b"[" + A + b",]", [A]),
        (b"[", [b"["]),
        (b"[1]\n" + A, [b"[1]", A]),
    ],
)
def test_a_broken_array_gives_its_good_events_nevertheless(body: bytes, events: list[bytes]) -> None:
    assert split_body(body) == events


def test_half_a_megabyte_of_a_string_without_its_end_takes_one_pass() -> None:
    # With a regex that backtracks this would take hours: that it ends at all is the test.
    endless = b'"' + rb"\"" * 250_000
    assert split_body(b"[" + A + b"," + endless) == [A, endless]


@given(st.lists(objects, min_size=1, max_size=6))
def test_an_array_and_its_ndjson_hold_the_same_events(values: list[object]) -> None:
    lines = [msgspec.json.encode(value) for value in values]
    assert split_body(msgspec.json.encode(values)) == lines
    assert split_body(b"\n".join(lines)) == lines


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_any_bytes_survive_the_way_to_the_writer(events: list[bytes]) -> None:
    arrived = [unwrap(line) for line in split_body(encode_lines(events))]
    assert [event.strip() for event in arrived] == [event.strip() for event in events]


@given(st.binary(max_size=200))
def test_any_body_can_be_split(body: bytes) -> None:
    events = split_body(body)
    assert all(events)
    assert b"".join(b"".join(events).split()) in (b"".join(body.split()), *_array_texts(body, events))


def _array_texts(body: bytes, events: list[bytes]) -> list[bytes]:
    # Of an array, the brackets and commas between its items are not part of any event.
    return [b"".join(b"".join(events).split())] if body.strip().startswith(b"[") else []


def test_a_clients_own_wrapper_is_not_unwrapped_twice() -> None:
    event = b'{"$raw":"e30="}'
    assert [unwrap(line) for line in split_body(encode_lines([event, A]))] == [event, A]


def test_a_line_that_is_an_array_does_not_swallow_its_neighbours() -> None:
    assert [unwrap(line) for line in split_body(encode_lines([b"[1]", A]))] == [b"[1]", A]


def test_a_wrapper_with_broken_base64_stays_as_it_is() -> None:
    assert unwrap(b'{"$raw":"?"}') == b'{"$raw":"?"}'


@pytest.mark.parametrize("events", [[b'{"half":', A, b"}"], [b'{"half":', b'{"other":1}}']])
def test_halves_of_an_object_do_not_swallow_what_stands_between_them(events: list[bytes]) -> None:
    assert [unwrap(line) for line in split_body(encode_lines(events))] == events


def test_halves_from_different_requests_do_not_swallow_another_ones_event() -> None:
    # A group commit joins the bodies of requests that know nothing of each other.
    bodies = [encode_lines([event]) for event in (b'{"half":', A, b"}")]
    assert split_envelope(b"\n".join(bodies), [Section(SHOP, 1)] * 3) == bodies


@pytest.mark.parametrize("body", [A + b"\n" + B, b"[" + A + b"," + B + b"]", b'{"a":1,\n"b":2}'])
def test_an_envelope_without_counts_is_split_like_any_body(body: bytes) -> None:
    assert split_envelope(body, [Section(SHOP)]) == split_body(body)
