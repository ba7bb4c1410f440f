"""Decodes neighbouring messages of one plain event each together: alone, a message costs far more than its event."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from eventmill.contracts.batch import LEAST_USUAL, Span, usual_events
from eventmill.contracts.decode import AppRules, EnvelopeContext
from eventmill.contracts.subjects import HEADER_MSG_ID, app_of
from eventmill.envelopes.decoding import DecodedEnvelope, DecodedSection, decode_envelope
from eventmill.envelopes.source import Envelope

# As many messages as one request to the broker brings.
MOST = 500
_NOTHING: Counter[str] = Counter()


def runs(envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    """Cut envelopes into runs of plain ones of the same subject, and single ones; in their order."""
    run: list[Envelope] = []
    for envelope in envelopes:
        is_plain = _is_plain(envelope)
        if run and (not is_plain or envelope.subject != run[0].subject or len(run) == MOST):
            yield run
            run = []
        if is_plain:
            run.append(envelope)
        else:
            yield [envelope]
    if run:
        yield run


def _is_plain(envelope: Envelope) -> bool:
    """Whether an envelope is surely one line without a context of its own, to be decoded as it stands."""
    body = envelope.body
    has_no_context = not envelope.headers or envelope.headers.keys() == {HEADER_MSG_ID}
    return has_no_context and body.startswith(b'{"') and not body.startswith(b'{"$raw') and b"\n" not in body


def decode_run(
    envelopes: Sequence[Envelope], rules: AppRules | None, history_start: datetime
) -> list[DecodedEnvelope] | None:
    """A run's rows: envelopes with an event that is not usual by themselves, then all others as one.

    The last one ends where the run ends. None where a run is too short to be worth it, or all of it is unusual.
    """
    if len(envelopes) < LEAST_USUAL:
        return None
    app_id = app_of(envelopes[0].subject)
    contexts = [EnvelopeContext(app_id, envelope.published_at) for envelope in envelopes]
    lines = [envelope.body for envelope in envelopes]
    usual, others = usual_events(lines, [Span(context, 1) for context in contexts], rules, history_start)
    if not len(usual):
        return None
    alone = [decode_envelope(envelopes[number], rules, history_start) for number in others]
    skipped = set(others)
    together = DecodedEnvelope(
        envelopes[-1].sequence,
        envelopes[-1].published_at,
        sum(len(line) for number, line in enumerate(lines) if number not in skipped),
        [_section(context, 0 if number in skipped else 1) for number, context in enumerate(contexts)],
        # The line of each is the first of its message.
        replace(usual, rows=pa.repeat(pa.scalar(0, pa.int32()), len(usual))),
        missing=sum(envelope.missing for number, envelope in enumerate(envelopes) if number not in skipped),
        sequences=[envelope.sequence for envelope in envelopes],
    )
    return [*alone, together]


def _section(context: EnvelopeContext, events: int) -> DecodedSection:
    # Whoever has nothing to count shares the counters: making them took longer than decoding the event.
    return DecodedSection(context, events, events, 0, _NOTHING, _NOTHING)
