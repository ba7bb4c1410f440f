"""Neighbouring messages decoded together: the same rows as one by one, in the same places."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmill.control.rules_cache import RulesCache
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.events_table import events_table
from eventmill.envelopes.runs import runs
from eventmill.envelopes.source import Envelope
from ingest_service.writer.accounting import accounts_of
from ingest_service.writer.attempts import AttemptFile
from ingest_service.writer.buffer import Batch
from ingest_service.writer.columns import quarantine_table
from ingest_service.writer.runs import RunDecoder
from tests.lake_writer_bench import HISTORY_START, RECEIVED_AT, SHOP

PLAIN = st.integers(0, 99).map(lambda number: {"event_id": f"e{number}", "event_type": "click", "user_id": "u"})
BODIES = st.one_of(
    PLAIN.map(lambda fields: json.dumps(fields).encode()),
    PLAIN.map(lambda fields: json.dumps(fields | {"event_name": "x", "page_url": "/a?utm_source=mail"}).encode()),
    PLAIN.map(lambda fields: json.dumps(fields | {"path": "/alias"}).encode()),
    PLAIN.map(lambda fields: json.dumps([fields, fields]).encode()),
    st.sampled_from([b"bad", b'{"half": ', b"{}", b"", b'{"event_type":"a",\n"user_id":"u"}', b'{"$raw":"e30="}']),
)
HEADERS = st.sampled_from([{}] * 20 + [{"Nats-Msg-Id": "m"}, {"Em-History": "true"}, {"Em-Received-At": "yesterday"}])
MESSAGES = st.lists(st.tuples(BODIES, HEADERS, st.sampled_from(["shop"] * 20 + ["peak"])), min_size=1, max_size=80)


def decoder_of() -> RunDecoder:
    rules = RulesCache(lambda: {"shop": SHOP})
    return RunDecoder(rules, AttemptFile(Path("/nowhere/attempts.json"), "stream"), HISTORY_START)


def stream_of(messages: Sequence[tuple[bytes, dict[str, str], str]]) -> list[Envelope]:
    return [
        Envelope(2 * number, f"events.{app}", headers, body, RECEIVED_AT + timedelta(minutes=number), missing=1)
        for number, (body, headers, app) in enumerate(messages, 1)
    ]


async def together(envelopes: Sequence[Envelope]) -> list[DecodedEnvelope]:
    decoder = decoder_of()
    return [item for run in runs(envelopes) for item in await decoder.decode_run(run, 0.0)]


def rows_of(decoded: Sequence[DecodedEnvelope]) -> tuple[pa.Table, pa.Table]:
    return events_table(decoded), quarantine_table(decoded).sort_by([("stream_seq", "ascending")])


def accounts(decoded: Sequence[DecodedEnvelope]) -> list[dict[str, object]]:
    events, rejected = rows_of(decoded)
    return [account.encode() for account in accounts_of(decoded, events, events.slice(0, 0), rejected)]


def without_new_ids(rows: pa.Table) -> pa.Table:
    return rows.drop(["event_id"])


@pytest.fixture(autouse=True, scope="module")
def short_runs() -> Iterator[None]:
    """Runs of few messages count as runs: those that chance makes are seldom as long as it takes to be worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eventmill.envelopes.runs.LEAST_USUAL", 3)
        yield


@given(messages=MESSAGES, cut=st.integers(0, 170))
async def test_rows_and_accounts_are_those_of_messages_decoded_one_by_one(
    messages: list[tuple[bytes, dict[str, str], str]], cut: int
) -> None:
    envelopes = stream_of(messages)
    decoder = decoder_of()
    one_by_one = [await decoder.decode(envelope, 0.0) for envelope in envelopes]
    batches = [Batch(0, envelopes[-1].sequence, decoded) for decoded in (await together(envelopes), one_by_one)]
    for found, expected in (batches, [batch.beyond(cut) for batch in batches]):
        assert without_new_ids(rows_of(found.envelopes)[0]).equals(without_new_ids(rows_of(expected.envelopes)[0]))
        assert rows_of(found.envelopes)[1].equals(rows_of(expected.envelopes)[1])
        assert found.messages == expected.messages
        assert accounts(found.envelopes) == accounts(expected.envelopes)
    assert sum(item.missing for item in batches[0].envelopes) == len(messages)
    assert batches[0].complete_through == envelopes[-1].published_at
    assert batches[0].envelopes[-1].sequence == envelopes[-1].sequence


async def test_a_message_that_was_decoded_by_itself_is_counted_once() -> None:
    plain, odd = b'{"event_type":"click","user_id":"u"}', b'{"event_type":"click"}'
    decoded = await together(stream_of([(body, {}, "shop") for body in [plain, odd] * 20]))
    assert len(decoded) > 1
    assert Batch(0, 80, decoded).messages == 40


async def test_plain_messages_become_one_envelope() -> None:
    body = b'{"event_type":"click","user_id":"u"}'
    (decoded,) = await together(stream_of([(body, {}, "shop")] * 40))
    assert decoded.sequences == list(range(2, 82, 2))


async def test_an_error_of_the_whole_falls_back_to_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("eventmill.envelopes.runs.usual_events", fail)
    body = b'{"event_type":"click","user_id":"u"}'
    assert len(await together(stream_of([(body, {}, "shop")] * 20))) == 20


def test_a_single_envelope_needs_no_run() -> None:
    (envelope,) = stream_of([(b"bad", {}, "shop")])
    assert [list(run) for run in runs([envelope])] == [[envelope]]
    assert decode_envelope(envelope, SHOP, HISTORY_START).sequences is None
