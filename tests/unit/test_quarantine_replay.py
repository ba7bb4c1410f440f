"""How quarantined events are judged anew, and what is published of them."""

import json
from datetime import UTC, datetime

import pytest

from eventmill.contracts.decode import AppRules
from eventmill.contracts.envelope import decode_sections, split_body
from eventmill.contracts.filters import filters_of
from eventmill.correction import parse_change
from eventmill.errors import EventmillError
from eventmill.quarantine import QuarantinedEvent, QuarantineId
from eventmill.quarantine_replay import Judge, messages

RECEIVED = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def row(raw: bytes, **fields: object) -> QuarantinedEvent:
    given: dict[str, object] = {"event_id": None, "reason": "missing_identity", "path": "$", "message": "m"}
    given |= {"received_at": RECEIVED, "history": False, "context": "{}", "stream_seq": 7, "row_no": 3}
    return QuarantinedEvent(app_id="shop", raw=raw, **(given | fields))  # type: ignore[arg-type]


def judge(*changes: str, rules: AppRules | None = None, as_history: bool = False) -> Judge:
    return Judge({"shop": rules or AppRules("shop")}, START, [parse_change(text) for text in changes], as_history)


def test_an_id_names_sequence_row_and_arrival() -> None:
    found = row(b"{}")
    assert QuarantineId.parse(found.id) == QuarantineId(7, 3, RECEIVED)
    assert QuarantineId.parse("7-3") == QuarantineId(7, 3, None)


@pytest.mark.parametrize("text", ["", "7", "7-", "7-3-xyz", "7-3-" + "f" * 15, "-7-3", "7-3; drop table"])
def test_another_text_is_no_id(text: str) -> None:
    with pytest.raises(EventmillError, match="id:"):
        QuarantineId.parse(text)


def test_a_corrected_event_is_accepted_and_one_that_is_still_wrong_says_why() -> None:
    (line,) = judge("user_id=u").judge(row(b'{"event_id":"e","event_type":"click"}')).lines
    assert (line.outcome, line.event_id) == ("accepted", "e")
    (line,) = judge("properties.a=1").judge(row(b'{"event_id":"e","event_type":"click"}')).lines
    assert (line.outcome, line.reason, line.path) == ("quarantined", "missing_identity", "$")


def test_what_was_known_at_arrival_decides_over_age() -> None:
    raw = b'{"event_id":"e","event_type":"click","user_id":"u","timestamp":"2026-02-01T00:00:00Z"}'
    assert judge().judge(row(raw)).accepted == 1
    assert judge().judge(row(raw, received_at=NOW)).lines[0].reason == "too_old"
    assert judge(as_history=True).judge(row(raw, received_at=NOW)).accepted == 1


def test_the_rules_of_today_apply() -> None:
    raw = b'{"event_id":"e","event_type":"click","user_id":"u","page_url":"https://a.example/admin/x"}'
    filtered = AppRules("shop", filters=filters_of([("path", "/admin/*")]))
    assert judge(rules=filtered).judge(row(raw)).lines[0].outcome == "filtered"
    assert Judge({}, START).judge(row(raw)).lines[0].reason == "unknown_app"


def test_the_envelope_carries_time_history_and_context_of_the_arrival() -> None:
    context = {"browser": "Firefox", "is_bot": True, "source": "web"}
    quarantined = row(b'{"event_id":"e","event_type":"click"}', history=True, context=json.dumps(context))
    (message,) = messages(judge("user_id=u").judge(quarantined))
    (section,) = decode_sections("events.shop", message.headers, NOW)
    assert (section.context.received_at, section.context.history) == (RECEIVED, True)
    assert section.context.defaults == context


def test_the_transports_id_follows_from_row_and_bytes() -> None:
    quarantined = row(b'{"event_type":"click"}')
    first, again, other = (
        next(messages(judge(change).judge(quarantined))) for change in ("user_id=u", "user_id=u", "user_id=v")
    )
    assert first.message_id == again.message_id != other.message_id
    assert first.body == again.body


def test_an_event_without_an_id_gets_one_of_its_row() -> None:
    raw = b'{"event_type":"click"}'
    (line,) = judge("user_id=u").judge(row(raw)).lines
    (again,) = judge("user_id=v").judge(row(raw)).lines
    (other,) = judge("user_id=u").judge(row(raw, row_no=4)).lines
    assert line.event_id == again.event_id != other.event_id


def test_an_id_that_only_the_quarantine_knows_is_kept() -> None:
    (line,) = judge("user_id=u").judge(row(b'{"event_type":"click"}', event_id="import-1")).lines
    assert line.event_id == "import-1"


@pytest.mark.parametrize("raw", [b"no json", b'{"a":\xff}', b"[1]"])
def test_bytes_that_are_no_event_stay_where_they_are(raw: bytes) -> None:
    assert judge().judge(row(raw)).lines[0].outcome == "quarantined"
    assert judge("user_id=u").judge(row(raw)).lines[0].reason == "not_an_object"


def poison(body: bytes, headers: dict[str, str]) -> QuarantinedEvent:
    message = f"EnvelopeError: too bad\nheaders: {json.dumps(headers)} (rule: An envelope can be decoded.)"
    return row(body, reason="poison_envelope", message=message)


def test_a_poison_envelope_is_taken_apart_again_by_its_headers() -> None:
    body = (
        b'{"event_type":"click","user_id":"u"}\n{"event_type":"click"}\n{"event_id":"e","event_type":"a","user_id":"u"}'
    )
    headers = {"Em-Received-At": "2026-02-28T09:00:00+00:00", "Em-History": "true", "Em-Context": '{"source":"web"}'}
    judged = judge().judge(poison(body, headers))
    assert [line.outcome for line in judged.lines] == ["accepted", "quarantined", "accepted"]
    assert len({line.event_id for line in judged.lines}) == 3
    (message,) = messages(judged)
    (section,) = decode_sections("events.shop", message.headers, NOW)
    assert (message.events, section.events) == (3, 3)
    assert section.context.received_at == datetime(2026, 2, 28, 9, tzinfo=UTC)
    assert (section.context.history, section.context.defaults) == (True, {"source": "web"})


@pytest.mark.parametrize(
    "headers",
    [{"Em-Received-At": "yesterday"}, {"Em-Sections": '{"contexts":[{}],"sections":[[9,0,0]]}'}, {"Em-Sections": "{"}],
)
def test_headers_that_were_what_was_wrong_are_left_out(headers: dict[str, str]) -> None:
    judged = judge().judge(poison(b'{"event_type":"click","user_id":"u"}', headers))
    assert judged.accepted == 1
    assert judged.lines[0].context.received_at == RECEIVED


def test_an_envelope_of_too_many_events_is_published_in_parts() -> None:
    body = b"\n".join(b'{"event_type":"click","user_id":"u"}' for _ in range(2_501))
    parts = list(messages(judge().judge(poison(body, {}))))
    assert sum(part.events for part in parts) == 2_501
    assert all(len(split_body(part.body)) == part.events <= 500 for part in parts)
    assert len({part.message_id for part in parts}) == len(parts)
