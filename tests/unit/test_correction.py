"""What `--set` makes of an event's bytes."""

import pytest

from eventmill.correction import CorrectionError, corrected, parse_change
from eventmill.errors import EventmillError

ID = "0197-new"


def correct(raw: bytes, *changes: str) -> bytes:
    return corrected(raw, [parse_change(change) for change in changes], ID)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("user_id=42", b'"user_id":"42"'),
        ("user_id=anna", b'"user_id":"anna"'),
        ('user_id="42"', b'"user_id":"42"'),
        ("user_id=true", b'"user_id":"true"'),
        ("user_id=null", b'"user_id":null'),
        ("timestamp=2026-11-01T12:00:00Z", b'"timestamp":"2026-11-01T12:00:00Z"'),
        ("duration_ms=5", b'"duration_ms":5'),
        ("is_bot=false", b'"is_bot":false'),
        ("page_url=/a?b=c", b'"page_url":"/a?b=c"'),
        ("user_id=", b'"user_id":""'),
        ("properties.price=9.50", b'"properties":{"price":9.50}'),
        ("properties.a.b=x", b'"properties":{"a.b":"x"}'),
        ('properties.tags=["a"]', b'"properties":{"tags":["a"]}'),
        ('properties={"a":1}', b'"properties":{"a":1}'),
        ("colour=7", b'"colour":7'),
    ],
)
def test_a_value_is_json_or_a_text_and_always_a_text_where_the_field_is_one(change: str, expected: bytes) -> None:
    assert correct(b'{"event_id":"e"}', change) == b'{"event_id":"e",' + expected + b"}"


def test_everything_else_stays_byte_for_byte() -> None:
    raw = b'{"event_id":"e","n":1.50,"t":"\\u00e9","properties":{"a":1e2, "b":[ 1 ]}}'
    assert correct(raw) is raw
    changed = correct(raw, "properties.b=2", "user_id=u")
    assert changed == b'{"event_id":"e","n":1.50,"t":"\\u00e9","properties":{"a":1e2,"b":2},"user_id":"u"}'


@pytest.mark.parametrize("raw", [b"{}", b'{"event_id":null}', b'{"event_id":""}'])
def test_an_event_without_an_id_gets_the_one_it_is_given(raw: bytes) -> None:
    assert correct(raw) == b'{"event_id":"0197-new"}'


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a":\xff}', b"127.0.0.1 - - [10/Oct/2026]"])
def test_what_is_no_object_cannot_be_corrected(raw: bytes) -> None:
    with pytest.raises(CorrectionError, match="not a JSON object"):
        correct(raw, "user_id=u")


def test_properties_that_are_no_object_cannot_be_corrected_in_part() -> None:
    with pytest.raises(CorrectionError, match=r"properties\.a cannot be set"):
        correct(b'{"properties":[1]}', "properties.a=1")


@pytest.mark.parametrize("text", ["user_id", "=x", "properties.=x", ""])
def test_a_change_without_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(EventmillError, match="--set"):
        parse_change(text)
