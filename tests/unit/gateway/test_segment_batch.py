"""Taking a batch apart: its messages keep their bytes, and one that is no JSON does not fail its neighbours."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.gateway.problems import Problem
from ingest_service.gateway.segment.batch import read_batch
from ingest_service.gateway.segment.settings import settings_document


def test_messages_keep_their_bytes_and_the_rest_holds_for_all_of_them() -> None:
    messages, shared = read_batch(
        b'{"batch":[{"a":1.50}, 7],"sentAt":"2026-03-01T12:00:00Z","context":{"locale":"de"},"writeKey":"k"}'
    )
    assert messages == [b'{"a":1.50}', b"7"]
    assert bytes(shared.context["locale"]) == b'"de"'
    assert shared.sent_at is not None


@pytest.mark.parametrize("bad", [b"NaN", b'{"a":NaN}', b'{"a":}', b'{"a":"\\ud800"}'])
def test_a_broken_message_leaves_its_neighbours_and_the_rest_alone(bad: bytes) -> None:
    messages, shared = read_batch(
        b'{"context":{"x":["]"]}, "batch": [{"a":"]\\""},' + bad + b',{"b":[2]}], "writeKey": "k"}'
    )
    assert messages == [b'{"a":"]\\""}', bad, b'{"b":[2]}']
    assert set(shared.context) == {"x"}


def test_a_body_that_is_cut_off_gives_the_messages_before_the_cut() -> None:
    assert read_batch(b'{"writeKey":"k","batch":[{"a":1},{"b":')[0] == [b'{"a":1}', b'{"b":']


@pytest.mark.parametrize("body", [b'{"batch":[]}', b'{"batch": [ ]}'])
def test_an_empty_batch_has_no_messages(body: bytes) -> None:
    assert read_batch(body)[0] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "batch"),
        (b"[]", "batch"),
        (b"{}", "batch"),
        (b'{"batch":{}}', "batch"),
        (b'{"batch":null}', "batch"),
        (b'{"a":{"batch":[1]}', "batch"),
        (b'{"batch":[],"context":7}', "context"),
        (b'{"batch":[],"context":{"a":"' + b"x" * 33_000 + b'"}}', "context"),
    ],
)
def test_a_body_in_which_no_messages_can_be_told_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(Problem) as caught:
        read_batch(body)
    assert (caught.value.status, caught.value.field) == (400, field)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4), st.booleans())
def test_whatever_the_messages_are_each_comes_out_as_it_went_in(messages: list[Any], is_ascii: bool) -> None:
    texts = [json.dumps(message, ensure_ascii=is_ascii) for message in messages]
    body = ('{"batch":[' + ",".join(texts) + "]}").encode(errors="replace")
    found = read_batch(body)[0]
    assert [message.decode() for message in found] == [text.encode(errors="replace").decode() for text in texts]


@given(st.binary())
def test_any_bytes_are_taken_apart_or_refused(body: bytes) -> None:
    with contextlib.suppress(Problem):
        assert len(b"".join(read_batch(body)[0])) <= len(body)


def test_the_settings_point_at_the_gateway_and_nowhere_else() -> None:
    document = msgspec.json.encode(settings_document("k", "https", "shop.example:8443"))
    delivery = json.loads(document)["integrations"]
    assert list(delivery) == ["Segment.io"]
    assert (delivery["Segment.io"]["apiHost"], delivery["Segment.io"]["protocol"]) == ("shop.example:8443/v1", "https")
    assert b"segment.com" not in document
