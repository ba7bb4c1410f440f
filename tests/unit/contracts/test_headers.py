"""Headers of envelopes: one context for all events, or sections that have one each."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.envelope import EnvelopeError, Section, decode_sections, encode_headers, section_bytes
from eventmill.contracts.filters import FilterKind
from eventmill.contracts.limits import MAX_HEADER_BYTES, MAX_REQUEST_EVENTS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECTIONS = '{"contexts":[{}],"sections":[%s]}'

sections = st.builds(
    Section,
    st.builds(
        EnvelopeContext,
        st.just("shop"),
        st.datetimes(datetime(2026, 2, 1), datetime(2026, 2, 28)).map(lambda instant: instant.replace(tzinfo=UTC)),
        st.booleans(),
        st.dictionaries(st.text(), st.text() | st.booleans(), max_size=3),
    ),
    st.integers(0, MAX_REQUEST_EVENTS),
    st.dictionaries(st.sampled_from([kind.value for kind in FilterKind]), st.integers(0, MAX_REQUEST_EVENTS)),
)


def context_of(headers: dict[str, str] | None, published_at: datetime = NOON) -> EnvelopeContext:
    (section,) = decode_sections("events.shop", headers, published_at)
    assert (section.events, section.filtered) == (None, {})
    return section.context


@given(st.lists(sections, min_size=1, max_size=6), st.integers(-12, 14))
def test_sections_come_back_as_they_were(sent: list[Section], offset_hours: int) -> None:
    headers = encode_headers(sent, "id-1")
    assert headers["Nats-Msg-Id"] == "id-1"
    assert all(value.isascii() for value in headers.values())
    assert len(headers["Em-Sections"]) <= sum(map(section_bytes, sent))
    zone = timezone(timedelta(hours=offset_hours))
    assert decode_sections("events.shop", headers, NOON.astimezone(zone)) == sent


def test_equal_contexts_are_named_once() -> None:
    section = Section(EnvelopeContext("shop", NOON, False, {"os": "iOS"}), 1)
    assert encode_headers([section] * 9, "id")["Em-Sections"].count("iOS") == 1


def test_as_many_sections_as_an_envelope_has_events_fit() -> None:
    apart = [Section(EnvelopeContext("shop", NOON + timedelta(seconds=n)), 1, {"host": 2}) for n in range(1_000)]
    assert len(decode_sections("events.shop", encode_headers(apart, "id"), NOON + timedelta(hours=1))) == 1_000


def test_more_than_a_message_takes_is_refused_before_it_is_sent() -> None:
    large = Section(EnvelopeContext("shop", NOON, False, {"os": "x" * MAX_HEADER_BYTES}), 1)
    with pytest.raises(EnvelopeError, match="at most 60,000"):
        encode_headers([large], "id")
    with pytest.raises(EnvelopeError, match="at least one"):
        encode_headers([], "id")


def test_no_section_was_received_after_the_broker_stored_it() -> None:
    early, late = (Section(EnvelopeContext("shop", NOON + timedelta(seconds=offset)), 1) for offset in (-5, 5))
    found = decode_sections("events.shop", encode_headers([late, early], "id"), NOON)
    assert [section.context.received_at for section in found] == [NOON, NOON - timedelta(seconds=5)]


def test_headers_of_one_context_hold_for_all_events() -> None:
    zone = timezone(timedelta(hours=5))
    headers = {
        "Em-Received-At": (NOON - timedelta(hours=1)).astimezone(zone).isoformat(),
        "Em-History": "true",
        "Em-Context": '{"os":"iOS","is_bot":true}',
    }
    expected = EnvelopeContext("shop", NOON - timedelta(hours=1), True, {"os": "iOS", "is_bot": True})
    assert context_of(headers) == expected


def test_without_headers_the_brokers_time_counts() -> None:
    assert context_of(None) == EnvelopeContext("shop", NOON)


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(days=365 * 7_000)])
def test_no_envelope_was_received_after_the_broker_stored_it(ahead: timedelta) -> None:
    assert context_of({"Em-Received-At": (NOON + ahead).isoformat()}).received_at == NOON


def test_the_alias_header_names_the_schema_version() -> None:
    assert context_of({"schema-version": "1.2.0"}).defaults == {"schema_version": "1.2.0"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Em-Received-At": "yesterday"},
        {"Em-Received-At": "2026-03-01T12:00:00"},
        {"Em-Context": "{"},
        {"Em-Context": '{"os":1}'},
        {"Em-Sections": "{"},
        {"Em-Sections": '{"contexts":[],"sections":[]}'},
        {"Em-Sections": SECTIONS % "[1,0,1]"},
        {"Em-Sections": SECTIONS % "[1,0,-1]"},
        {"Em-Sections": SECTIONS % "[-1,0,0]"},
        {"Em-Sections": SECTIONS % "[2501,0,0]"},
        {"Em-Sections": SECTIONS % '[1,0,0,false,{"weather":1}]'},
        {"Em-Sections": SECTIONS % '[1,0,0,false,{"host":-1}]'},
        {"Em-Sections": SECTIONS % f"[1,{10**18},0]"},
        {"Em-Sections": SECTIONS % f"[1,{10**30},0]"},
    ],
)
def test_a_header_of_another_form_is_an_error(headers: dict[str, str]) -> None:
    with pytest.raises(EnvelopeError, match=next(iter(headers))):
        decode_sections("events.shop", headers, NOON)


@given(st.text(max_size=60))
def test_no_text_in_the_header_raises_anything_else(text: str) -> None:
    try:
        found = decode_sections("events.shop", {"Em-Sections": text}, NOON)
    except EnvelopeError:
        return
    assert found == [Section(EnvelopeContext("shop", NOON))]
