"""What the writer's commits account for: every event that arrived has one fate, whatever crashes in between."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmill.contracts.decode import AppRules, EnvelopeContext
from eventmill.contracts.envelope import Section, encode_headers
from eventmill.contracts.filters import Filters
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.source import Envelope
from eventmill.lake import QUARANTINE
from ingest_service.writer.buffer import Batch
from tests.conftest import TEST_STATE
from tests.lake_writer_bench import HISTORY_START, RECEIVED_AT, Lake

pytestmark = pytest.mark.integration

LINES = st.sampled_from(
    [
        b"bad",
        b'{"user_id": 7}',
        b'{"event_type":"click","user_id":"u","opt_out":true}',
        b'{"event_type":"page_view","user_id":"u","page_url":"https://intern.example/x"}',
        *(b'{"event_type":"click","user_id":"u","event_id":"e%d"}' % number for number in range(6)),
    ]
)
# Lines of a request, minutes before the broker stored it, and what the gateway has left out.
SECTIONS = st.tuples(
    st.lists(LINES, max_size=6), st.integers(0, 90), st.dictionaries(st.sampled_from(["address", "path"]), st.just(2))
)
ENVELOPES = st.lists(st.lists(SECTIONS, min_size=1, max_size=3), min_size=1, max_size=6)
KNOWN = AppRules("shop", 0)
FILTERING = AppRules("shop", 0, Filters(hosts=("intern.example",)))


class CrashError(Exception):
    """The process ends here."""


def crash(step: str) -> None:
    if step == "after_quarantine_commit":
        raise CrashError


def decoded(sequence: int, parts: Sequence[Any], rules: AppRules | None) -> DecodedEnvelope:
    published_at = RECEIVED_AT + timedelta(seconds=sequence)
    sections = [
        Section(EnvelopeContext("shop", published_at - timedelta(minutes=minutes)), len(lines), filtered)
        for lines, minutes, filtered in parts
    ]
    body = b"\n".join(line for lines, _, _ in parts for line in lines)
    headers = encode_headers(sections, str(sequence))
    return decode_envelope(Envelope(sequence, "events.shop", headers, body, published_at), rules, HISTORY_START)


@given(
    envelopes=ENVELOPES,
    first=st.integers(1, 6),
    first_rules=st.sampled_from([KNOWN, FILTERING, None]),
    crashes=st.booleans(),
)
@settings(max_examples=60)
def test_received_is_the_sum_of_all_fates(
    envelopes: list[Any], first: int, first_rules: AppRules | None, *, crashes: bool
) -> None:
    with tempfile.TemporaryDirectory(dir=TEST_STATE) as directory:
        lake = Lake.create(Path(directory))
        writer = lake.writer()
        early, late = envelopes[:first], envelopes[first:]

        def batch(rules: AppRules | None) -> Batch:
            return Batch(0, len(early), [decoded(number, parts, rules) for number, parts in enumerate(early, 1)])

        if crashes:
            writer.reach = crash
            with pytest.raises(CrashError):
                writer.write(batch(first_rules))
            writer = lake.writer()
        commits = [writer.write(batch(FILTERING))]
        for number, parts in enumerate(late, first + 1):
            commits.append(writer.write(Batch(number - 1, number, [decoded(number, parts, FILTERING)])))
        totals: Counter[str] = Counter()
        for commit in commits:
            assert commit is not None
            for entry in commit.note["accounting"]:
                fates = [entry["stored"], entry["window_duplicate"], *entry["quarantined"].values()]
                assert entry["received"] == sum(fates) + sum(entry["filtered"].values())
                assert min([*fates, *entry["filtered"].values()]) >= 0
                totals.update(
                    received=entry["received"], stored=entry["stored"], quarantined=sum(entry["quarantined"].values())
                )
        lines = sum(len(lines) for parts in envelopes for lines, _, _ in parts)
        assert totals["received"] == lines + 2 * sum(len(filtered) for parts in envelopes for _, _, filtered in parts)
        assert totals["stored"] == lake.rows().num_rows
        assert totals["quarantined"] == lake.rows(QUARANTINE).num_rows
