"""One truth: what the columns say of the usual events is what `decode_event` says of each of them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventmill.contracts.batch import Span, usual_events
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, decode_event
from eventmill.contracts.event import Event, StoredEvent
from eventmill.contracts.filters import Filters
from eventmill.contracts.plan import plan_of
from eventmill.envelopes.usual import Portion, usual_table
from tests.lake_writer_bench import HISTORY_START, RECEIVED_AT

USUAL = b'{"event_type":"click","user_id":"u","event_id":"e","timestamp":"2026-03-01T10:00:00Z"}'
PLAIN = AppRules("shop")
STRICT = AppRules(
    "shop",
    filters=Filters(hosts=("staging.*",), paths=("/admin/*",)),
    plan=plan_of({"purchase": (b'{"required":["price"]}', "quarantine")}),
)

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
near = st.builds(
    lambda seconds, zone: (RECEIVED_AT + timedelta(seconds=seconds)).astimezone(zone).isoformat(),
    st.sampled_from([0, -1, 59.999999, 60, 60.000001, 3600, 3600.000001, -1800, 1799, 1800, 5400])
    | st.floats(-8_000_000, 90_000).map(lambda seconds: round(seconds, 6)),
    offsets,
)
ODD_INSTANTS: list[Any] = [
    None,
    "2026-03-01 10:00:00Z",
    "2026-03-01T10:00:00.1234567Z",
    "2026-03-01T10:00:00",
    "2026-03-01T10:00:00z",
    "2026-03-01T10:00:00+0530",
    "2026-03-01T10:00Z",
    "2026-03-01T10Z",
    "2026-03-01T10:00+05:30",
    "2026-03-01T10+05:30",
    "2026-03-01T10:00:00+05",
    "2026-03-01T10:00:00.5+05",
    "2026-02-30T10:00:00Z",
    "2026-03-01T23:59:60Z",
    "1969-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2025-01-01T00:00:00Z",
    "2024-12-31T23:59:59Z",
    "2025-12-01T10:30:00Z",
    1_700_000_000,
]
instants = near | st.sampled_from(ODD_INSTANTS)
texts = st.sampled_from([None, "", "x", "é", "\u0000", "\U0001f600"]) | st.text(max_size=5)
pages = st.sampled_from(
    [
        None,
        "",
        "/",
        "https://shop.example/a?utm_source=mail&utm_term=&gclid=1#x",
        "https://Staging.shop.example/",
        "https://shop.example/admin/users",
        "/admin/",
        "?utm_medium=cpc",
        "https://www.google.com/search?q=x",
        "https://www.shop.example:8443/",
        "android-app://com.google.android.gm/",
    ]
)
properties = st.sampled_from(
    [{}, None, {"price": 1}, {"é": [1, {"a": "[{"}]}, [1], 5, {"a": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = (
    dict.fromkeys(Event.__struct_fields__, texts)
    | {"timestamp": instants, "sent_at": instants, "page_url": pages, "page_path": pages, "referrer": pages | texts}
    | {
        "properties": properties,
        "is_bot": st.sampled_from([None, True, False]),
        "duration_ms": st.sampled_from([0, 5, 2**63 - 1, -1, 2**63]),
    }
    | {"opt_out": st.sampled_from([None, False, True]), "app_id": st.sampled_from([None, "shop", "blog", ""])}
    | {"source": st.sampled_from([None, "", "web", "api", "import", "fridge"])}
    | {"schema_version": st.sampled_from([None, "", "1.0.0", "1.2.0", "2.0.0", "1"])}
    | {"event_type": st.sampled_from([None, "", "click", "purchase", "page_view", "x" * 101])}
    | {"other": texts, "type": texts, "user_pk": st.integers(), "_metadata": st.just({"source": "web"})}
)
IN_TIME = st.builds(
    lambda seconds, zone: (RECEIVED_AT + timedelta(seconds=seconds)).astimezone(zone).isoformat(),
    st.sampled_from([0, -59.999999, -60, -60.000001, 1800, 3600, 3600.000001, -7_776_000, -7_776_000.000001]),
    offsets,
)
PLAIN_FIELDS = FIELDS | {
    "timestamp": IN_TIME,
    "sent_at": IN_TIME,
    "source": st.sampled_from(["web", "api", ""]),
    "properties": st.sampled_from([{}, {"price": 1}, {"é": "[{"}]),
    "schema_version": st.just("1.2.0"),
    "event_type": st.sampled_from(["click", "purchase", ""]),
    "duration_ms": st.sampled_from([0, 2**63 - 1]),
    "app_id": st.just("shop"),
}
for unknown in ("other", "type", "user_pk", "_metadata"):
    del PLAIN_FIELDS[unknown]


def event_of(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(fields)), max_size=8, unique=True)
    return names.flatmap(lambda some: st.fixed_dictionaries({name: fields[name] for name in some}))


LEAST = {"event_type": "click", "user_id": "u", "event_id": "e"}
plain = event_of(PLAIN_FIELDS).map(lambda fields: LEAST | fields).map(msgspec.json.encode)
any_event = event_of(FIELDS).map(msgspec.json.encode)
BYTES = [
    USUAL,
    b"",
    b"{torn",
    b"null",
    b"[1]",
    b"\xff",
    b'{"event_type":"click","user_id":"u"} {}',
    b'{"event_type":"click","user_id":"u","properties":{"\xff":1}}',
    b'{"event_type":"click","user_id":"u","user_id":"v","event_id":"e"}',
    b'{"event_type":"click","user_id":"u","event_id":"e","properties":' + b"[" * 16 + b"]" * 16 + b',"properties":{}}',
    b'{"event_type":"click","user_id":"u","event_id":"e","properties":{"a":' + b"[" * 15 + b"]" * 15 + b"}}",
    b'{"event_type":"click","user_id":"u","event_id":"e","properties":{"a":' + b"[" * 14 + b"]" * 14 + b"}}",
    b'{"event_type":"click","user_id":"u","event_id":"e","page_title":"' + b"[" * 40 + b'"}',
    b'{"event_type":"click","user_id":"u","event_id":"e","page_title":"' + b"x" * 32_768 + b'"}',
    b'{"event_type":"click","user_id":"\\ud800"}',
    b'{"$raw":"e30="}',
]
BOUNDS = [
    msgspec.json.encode(
        LEAST
        | {"timestamp": (RECEIVED_AT + timedelta(microseconds=at)).isoformat()}
        | ({"sent_at": (RECEIVED_AT + timedelta(microseconds=sent)).isoformat()} if sent is not None else {})
    )
    for at in (0, 1_800_000_000, 3_600_000_000, 3_600_000_001, -7_776_000_000_000, -7_776_000_000_001)
    for sent in (None, 60_000_000, 60_000_001, -60_000_000, -60_000_001)
]
lines = st.lists(plain, max_size=8) | st.lists(plain | any_event | st.sampled_from(BYTES), max_size=8)
contexts = st.builds(
    EnvelopeContext,
    st.just("shop"),
    st.sampled_from([RECEIVED_AT, RECEIVED_AT, RECEIVED_AT - timedelta(days=40), datetime(1969, 5, 5, tzinfo=UTC)]),
    st.booleans(),
    st.sampled_from([{}, {}, {"source": "", "schema_version": "1.3.0"}, {"source": True}, {"schema_version": "2.0.0"}])
    | st.fixed_dictionaries(
        {},
        optional={
            "source": st.sampled_from(["web", "api"]),
            "schema_version": st.sampled_from(["1.3.0", "", True]),
            "os": st.sampled_from(["iOS", "", True]),
            "is_bot": st.sampled_from([True, False, "yes"]),
        },
    ),
)
sections = st.lists(st.tuples(contexts, lines), min_size=1, max_size=3)
rules = st.sampled_from([PLAIN, STRICT, AppRules("shop", 0), AppRules("shop", 900_000_000)])


def row_of(event: StoredEvent, has_id: bool) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(event, name) for name in StoredEvent.__struct_fields__}
    return row if has_id else row | {"event_id": None}


Parts = list[tuple[EnvelopeContext, list[bytes]]]


def check(parts: Parts, app: AppRules, history_start: datetime | None) -> None:
    """Every line is usual or not, and what the columns say of a usual one is what `decode_event` says."""
    every_line = [line for _, some in parts for line in some]
    spans = [Span(context, len(some)) for context, some in parts]
    usual, others = usual_events(every_line, spans, app, history_start)
    assert sorted([*usual.rows.to_pylist(), *others]) == list(range(len(every_line)))
    single = [
        decode_event(line, DecodeContext(app, context, history_start, lambda: ""))
        for context, some in parts
        for line in some
    ]
    portion = Portion(7, [context for context, _ in parts], usual)
    for row in usual_table([portion]).to_pylist() if len(usual) else []:
        event = single[row["row_no"]]
        assert isinstance(event, StoredEvent), event
        expected = {name: getattr(event, name) for name in StoredEvent.__struct_fields__}
        if event.event_id == "":
            assert row["event_id"]
            expected["event_id"] = row["event_id"]
        assert {name: row[name] for name in expected} == expected


@settings(max_examples=400)
@given(sections, rules, st.sampled_from([None, HISTORY_START]))
@example([(EnvelopeContext("shop", RECEIVED_AT), BYTES)], PLAIN, None)
@example([(EnvelopeContext("shop", RECEIVED_AT), BOUNDS)], PLAIN, None)
@example([(EnvelopeContext("shop", RECEIVED_AT, True), BOUNDS)], PLAIN, RECEIVED_AT)
def test_columns_and_single_events_give_the_same_rows(
    parts: Parts, app: AppRules, history_start: datetime | None
) -> None:
    check(parts, app, history_start)


@pytest.mark.parametrize("text", ODD_INSTANTS)
@pytest.mark.parametrize("name", ["timestamp", "sent_at"])
def test_an_instant_alone_in_its_column_is_read_as_in_a_single_event(name: str, text: Any) -> None:
    line = msgspec.json.encode(LEAST | {name: text})
    check([(EnvelopeContext("shop", RECEIVED_AT), [line])], AppRules("shop", 0), None)


def test_events_of_a_clients_library_are_usual() -> None:
    some = [
        USUAL,
        b'{"page_url":"https://shop.example/a?b=[1]","session_id":"s","sent_at":"2026-03-01T10:00:00Z"}',
        b'{"event_type":"click","anonymous_id":"a","source":"api","properties":{"price":[1,{"a":2}]},"is_bot":false}',
    ]
    usual, others = usual_events(some, [Span(EnvelopeContext("shop", RECEIVED_AT), 3)], PLAIN, HISTORY_START)
    assert (len(usual), others) == (3, [])


@pytest.mark.parametrize("bad", BYTES[1:5])
def test_a_bad_neighbour_leaves_the_others_usual(bad: bytes) -> None:
    some = [USUAL, bad, USUAL]
    usual, others = usual_events(some, [Span(EnvelopeContext("shop", RECEIVED_AT), 3)], PLAIN, HISTORY_START)
    assert (usual.rows.to_pylist(), others) == ([0, 2], [1])


def test_no_event_of_an_unknown_app_is_usual() -> None:
    usual, others = usual_events([USUAL], [Span(EnvelopeContext("shop", RECEIVED_AT), 1)], None, HISTORY_START)
    assert (len(usual), others) == (0, [0])
