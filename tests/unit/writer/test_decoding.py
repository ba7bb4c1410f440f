"""Envelopes that cannot be decoded, and the attempts at them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from eventmill.contracts.decode import AppRules
from eventmill.contracts.envelope import EnvelopeError
from eventmill.contracts.reasons import Reason
from eventmill.control.rules_cache import RulesCache
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.source import Envelope
from ingest_service.writer.attempts import AttemptFile
from ingest_service.writer.decoding import EnvelopeDecoder
from tests.lake_writer_bench import HISTORY_START, RECEIVED_AT, SHOP

ENVELOPE = Envelope(5, "events.shop", {"x": "y"}, b'{"user_id": "u", "event_type": "click"}', RECEIVED_AT)


class Faulty:
    """A decoder that fails a number of times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, envelope: Envelope, rules: AppRules | None, history_start: datetime) -> DecodedEnvelope:
        self.calls += 1
        if self.calls <= self.failures:
            raise RuntimeError("no")
        return decode_envelope(envelope, rules, history_start)


@pytest.fixture
def attempts(new_directory: Callable[[], Path]) -> AttemptFile:
    return AttemptFile(new_directory() / "state" / "writer-attempts.json", "stream")


def decoder_of(attempts: AttemptFile, faulty: Faulty) -> EnvelopeDecoder:
    rules = RulesCache(lambda: {"shop": SHOP})
    return EnvelopeDecoder(rules, attempts, HISTORY_START, decode=faulty, retry_seconds=0)


async def test_a_failure_that_passes_costs_nothing(attempts: AttemptFile) -> None:
    decoded = await decoder_of(attempts, Faulty(2)).decode(ENVELOPE, 0.0)
    assert (decoded.stored, decoded.rejected) == (1, [])


async def test_the_third_failure_quarantines_the_envelope_whole(attempts: AttemptFile) -> None:
    faulty = Faulty(99)
    decoded = await decoder_of(attempts, faulty).decode(ENVELOPE, 0.0)
    (rejected,) = decoded.rejected
    assert (rejected.reason, rejected.raw, faulty.calls) == (Reason.POISON_ENVELOPE, ENVELOPE.body, 3)
    assert '{"x":"y"}' in rejected.message


async def test_a_flood_of_envelopes_that_fail_pauses_only_at_the_first(attempts: AttemptFile) -> None:
    faulty = Faulty(99)
    rules = RulesCache(lambda: {"shop": SHOP})
    patient = EnvelopeDecoder(rules, attempts, HISTORY_START, decode=faulty, retry_seconds=3600)
    attempts.count(ENVELOPE.sequence)
    attempts.count(ENVELOPE.sequence)
    await patient.decode(ENVELOPE, 0.0)
    async with asyncio.timeout(10):
        decoded = await patient.decode(replace(ENVELOPE, sequence=6), 1.0)
    assert ([item.reason for item in decoded.rejected], faulty.calls) == ([Reason.POISON_ENVELOPE], 4)


async def test_an_envelope_against_the_contract_is_quarantined_at_the_first_try(attempts: AttemptFile) -> None:
    faulty = Faulty(0)
    envelope = Envelope(5, "events.shop", {"Em-Received-At": "yesterday"}, ENVELOPE.body, RECEIVED_AT)
    decoded = await decoder_of(attempts, faulty).decode(envelope, 0.0)
    assert ([item.reason for item in decoded.rejected], faulty.calls) == ([Reason.POISON_ENVELOPE], 1)
    assert [(section.received, section.quarantined.total()) for section in decoded.sections] == [(1, 1)]
    assert attempts.count(5) == 1


async def test_an_envelope_of_too_many_events_is_quarantined_whole(attempts: AttemptFile) -> None:
    decoder = decoder_of(attempts, Faulty(0))
    for count, events, rejected in [(2_500, 2_500, 0), (2_501, 0, 1)]:
        body = b"\n".join([ENVELOPE.body] * count)
        decoded = await decoder.decode(Envelope(count, "events.shop", {}, body, RECEIVED_AT), 0.0)
        assert (decoded.stored, len(decoded.rejected)) == (events, rejected)
    assert decoded.rejected[0].raw == body
    assert "at most 2,500 events" in decoded.rejected[0].message


async def test_attempts_before_a_restart_count(attempts: AttemptFile) -> None:
    attempts.count(5)
    attempts.count(5)
    faulty = Faulty(1)
    decoded = await decoder_of(attempts, faulty).decode(ENVELOPE, 0.0)
    assert (len(decoded.rejected), faulty.calls) == (1, 1)


SECTIONS = {
    "Em-Received-At": RECEIVED_AT.isoformat(),
    "Em-Sections": '{"contexts":[{"os":"iOS"},{}],'
    '"sections":[[2,0,0],[0,-1000000,1,false,{"address":3}],[1,-2000000,1]]}',
}
THREE_LINES = b'{"user_id":"u","event_type":"a"}\nbad\n{"user_id":"u","event_type":"b","opt_out":true}'


def test_each_section_has_its_own_context_and_counts() -> None:
    decoded = decode_envelope(Envelope(9, "events.shop", SECTIONS, THREE_LINES, RECEIVED_AT), SHOP, HISTORY_START)
    (event,), (rejected,) = decoded.others, decoded.rejected
    assert (event.os, event.received_at, decoded.other_rows) == ("iOS", RECEIVED_AT, [0])
    assert (rejected.raw, decoded.rejected_rows) == (b"bad", [1])
    assert [section.received for section in decoded.sections] == [2, 3, 1]
    assert [section.stored for section in decoded.sections] == [1, 0, 0]
    assert [dict(section.quarantined) for section in decoded.sections] == [{"malformed_json": 1}, {}, {}]
    assert [dict(section.filtered) for section in decoded.sections] == [{}, {"address": 3}, {"opt_out": 1}]


def test_sections_that_do_not_add_up_to_the_lines_are_an_error() -> None:
    body = THREE_LINES + b"\n{}"
    with pytest.raises(EnvelopeError, match="3 events, the envelope has 4"):
        decode_envelope(Envelope(9, "events.shop", SECTIONS, body, RECEIVED_AT), SHOP, HISTORY_START)


def test_attempts_are_those_of_one_envelope_of_one_stream(attempts: AttemptFile) -> None:
    assert [attempts.count(5), attempts.count(5), attempts.count(6), attempts.count(5)] == [1, 2, 1, 1]


def test_a_broken_attempt_file_counts_from_one(new_directory: Callable[[], Path]) -> None:
    path = new_directory() / "writer-attempts.json"
    path.write_bytes(b"")
    assert AttemptFile(path, "stream").count(5) == 1
