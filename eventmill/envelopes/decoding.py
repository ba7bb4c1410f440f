"""Turns an envelope into rows: events to store, and rejected ones to quarantine."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import accumulate

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts.batch import LEAST_USUAL, NO_USUAL_EVENTS, Span, UsualEvents, usual_events
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Filtered, Rejected, decode_event
from eventmill.contracts.envelope import EnvelopeError, Section, decode_sections, split_envelope, unwrap
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.limits import MAX_REQUEST_EVENTS
from eventmill.contracts.reasons import Reason
from eventmill.contracts.subjects import app_of
from eventmill.envelopes.source import Envelope


@dataclass(slots=True)
class DecodedSection:
    """The events of one request, counted: `received = stored + quarantined + filtered`.

    `filtered` is by kind and includes those that the gateway left out, `quarantined` is by reason; `flagged` counts
    the stored ones that break the tracking plan.
    """

    context: EnvelopeContext
    received: int
    stored: int = 0
    flagged: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class DecodedEnvelope:
    """An envelope's rows, each numbered by its place in the envelope.

    Events to store are `usual`, or one of `others`: `others[i]` has row number `other_rows[i]`. `rejected[i]` has row
    number `rejected_rows[i]` and came in `rejected_sections[i]`. Several messages of one event each can be one: its
    sections are those messages then, in order, and `sequences` theirs; `sequence` is the last.
    """

    sequence: int
    published_at: datetime
    size: int
    sections: Sequence[DecodedSection]
    usual: UsualEvents = NO_USUAL_EVENTS
    others: list[StoredEvent] = field(default_factory=list)
    other_rows: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    rejected_rows: list[int] = field(default_factory=list)
    rejected_sections: list[DecodedSection] = field(default_factory=list)
    missing: int = 0
    sequences: Sequence[int] | None = None

    def beyond(self, sequence: int) -> "DecodedEnvelope | None":
        """What of it lies after a sequence; None where nothing does."""
        if sequence >= self.sequence:
            return None
        if self.sequences is None or sequence < self.sequences[0]:
            return self
        first = bisect_right(self.sequences, sequence)
        usual = self.usual.where(pc.greater_equal(self.usual.spans, first))
        return replace(
            self,
            sections=self.sections[first:],
            sequences=self.sequences[first:],
            usual=replace(usual, spans=pc.subtract(usual.spans, pa.scalar(first, pa.int32()))),
        )

    @property
    def app_id(self) -> str:
        """The app of all sections."""
        return self.sections[0].context.app_id

    @property
    def messages(self) -> int:
        """Messages of the stream that it is; those of its run that were decoded by themselves are none of them."""
        return 1 if self.sequences is None else sum(section.received for section in self.sections)

    @property
    def stored(self) -> int:
        """How many events are to be stored."""
        return len(self.usual) + len(self.others)

    @property
    def files(self) -> set[tuple[int, bool]]:
        """The data files that its events go to: home hour in hours since 1970, and whether they are shifted."""
        found: set[tuple[int, bool]] = set()
        if len(usual := self.usual):
            # Hour and mark in one number: to group by two columns takes a hundred times as long.
            numbers = pc.add(pc.multiply(usual.home_hour, 2), usual.shifted.cast(pa.int64()))
            found = {(number >> 1, bool(number & 1)) for number in pc.unique(numbers).to_pylist()}
        epoch = date(1970, 1, 1)
        return found | {
            ((event.event_date - epoch).days * 24 + event.event_hour, event.shifted) for event in self.others
        }


def decode_envelope(envelope: Envelope, rules: AppRules | None, history_start: datetime) -> DecodedEnvelope:
    """Decode every event of an envelope. Raises EnvelopeError where headers or size are not of the contract's form."""
    sections = decode_sections(envelope.subject, envelope.headers, envelope.published_at)
    lines = split_envelope(envelope.body, sections)
    # Row numbers beyond it would collide in the order that decides which copy of a duplicate counts.
    if len(lines) > MAX_REQUEST_EVENTS:
        raise EnvelopeError(f"an envelope holds at most {MAX_REQUEST_EVENTS:,} events, this one {len(lines):,}")
    counts = _line_counts(sections, len(lines))
    spans = [Span(section.context, count) for section, count in zip(sections, counts, strict=True)]
    usual, other_rows = NO_USUAL_EVENTS, list(range(len(lines)))
    if len(lines) >= LEAST_USUAL:
        usual, other_rows = usual_events(lines, spans, rules, history_start)
    decoded = DecodedEnvelope(
        envelope.sequence,
        envelope.published_at,
        len(envelope.body),
        [_section_of(section, count) for section, count in zip(sections, counts, strict=True)],
        usual,
        missing=envelope.missing,
    )
    _count_usual(decoded)
    _decode_others(decoded, lines, counts, other_rows, rules, history_start)
    return decoded


def _section_of(section: Section, lines: int) -> DecodedSection:
    return DecodedSection(section.context, lines + sum(section.filtered.values()), filtered=Counter(section.filtered))


def _count_usual(decoded: DecodedEnvelope) -> None:
    if len(decoded.sections) == 1:
        decoded.sections[0].stored = len(decoded.usual)
        return
    for number, count in Counter(decoded.usual.spans.to_pylist()).items():
        decoded.sections[number].stored = count


def _decode_others(
    decoded: DecodedEnvelope,
    lines: Sequence[bytes],
    counts: Sequence[int],
    rows: Sequence[int],
    rules: AppRules | None,
    history_start: datetime,
) -> None:
    sections = zip(accumulate(counts), decoded.sections, strict=True)
    end = 0
    for row in rows:
        while row >= end:
            end, section = next(sections)
            context = DecodeContext(rules, section.context, history_start)
        _decode_line(decoded, section, row, unwrap(lines[row]), context)


def _line_counts(sections: Sequence[Section], lines: int) -> list[int]:
    """How many lines each section has. Raises EnvelopeError where they are not all lines of the envelope."""
    counts = [lines if section.events is None else section.events for section in sections]
    if sum(counts) != lines:
        raise EnvelopeError(f"the sections have {sum(counts):,} events, the envelope has {lines:,}")
    return counts


def _decode_line(
    decoded: DecodedEnvelope, section: DecodedSection, row: int, line: bytes, context: DecodeContext
) -> None:
    result = decode_event(line, context)
    if isinstance(result, Rejected):
        section.quarantined[result.reason.value] += 1
        decoded.rejected.append(result)
        decoded.rejected_rows.append(row)
        decoded.rejected_sections.append(section)
    elif isinstance(result, Filtered):
        section.filtered[result.kind.value] += 1
    else:
        section.stored += 1
        section.flagged += result.plan_violation is not None
        decoded.others.append(result)
        decoded.other_rows.append(row)


def poisoned(envelope: Envelope, error: Exception) -> DecodedEnvelope:
    """An envelope as one rejected row that keeps its bytes, and its headers for whoever replays it."""
    message = f"{type(error).__name__}: {error}\nheaders: {msgspec.json.encode(dict(envelope.headers)).decode()}"
    context = EnvelopeContext(app_of(envelope.subject), envelope.published_at)
    section = DecodedSection(context, received=1, quarantined=Counter({Reason.POISON_ENVELOPE.value: 1}))
    return DecodedEnvelope(
        envelope.sequence,
        envelope.published_at,
        len(envelope.body),
        [section],
        rejected=[Rejected(Reason.POISON_ENVELOPE, "$", message, envelope.body)],
        rejected_rows=[0],
        rejected_sections=[section],
        missing=envelope.missing,
    )
