"""Judges quarantined events anew, by the rules of today and what was known when they came, and sends them again."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import msgspec

from eventmill.contracts import subjects
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Filtered, Rejected, decode_event
from eventmill.contracts.envelope import (
    Section,
    decode_sections,
    encode_headers,
    encode_lines,
    split_envelope,
    unwrap,
)
from eventmill.contracts.reasons import Reason
from eventmill.correction import Change, CorrectionError, corrected
from eventmill.quarantine import QuarantinedEvent

MAX_MESSAGE_EVENTS = 500
_MAX_LINES_BYTES = 1024 * 1024
_NAMESPACE = uuid.UUID("5d0a7bd0-6f5e-5c0f-9d6b-0d8e6a4f2a11")
_HEADERS = "\nheaders: "
_DEFAULTS = msgspec.json.Decoder(dict[str, str | bool])


@dataclass(frozen=True, slots=True)
class JudgedLine:
    """One event of a quarantined row, corrected, and what would become of it.

    `outcome` is accepted, filtered or quarantined; `reason`, `path` and `message` say why it is not accepted, or how
    it breaks the tracking plan all the same.
    """

    line: bytes
    context: EnvelopeContext
    outcome: str
    event_id: str | None
    reason: str = ""
    path: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A quarantined row and its events: one, or those of an envelope that could not be decoded."""

    row: QuarantinedEvent
    lines: Sequence[JudgedLine]

    @property
    def accepted(self) -> int:
        """How many of its events would be stored now."""
        return sum(line.outcome == "accepted" for line in self.lines)


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope to publish. Its id follows from row and bytes, so the broker stores a repeated replay once."""

    app_id: str
    body: bytes
    headers: dict[str, str]
    events: int

    @property
    def message_id(self) -> str:
        """The transport's id."""
        return self.headers[subjects.HEADER_MSG_ID]


@dataclass(frozen=True, slots=True)
class Judge:
    """Decodes by `rules` (apps that accept events), with `changes` made first.

    `as_history` lifts the limit of age. `history_start` is the first instant that has a partition.
    """

    rules: Mapping[str, AppRules]
    history_start: datetime
    changes: Sequence[Change] = ()
    as_history: bool = False

    def judge(self, row: QuarantinedEvent) -> JudgedRow:
        """What would become of a row's events now."""
        if row.reason == Reason.POISON_ENVELOPE:
            return JudgedRow(row, [self._judge(row, number, *one) for number, one in enumerate(_unpacked(row))])
        return JudgedRow(row, [self._judge(row, None, row.raw, _context_of(row))])

    def _judge(self, row: QuarantinedEvent, number: int | None, raw: bytes, context: EnvelopeContext) -> JudgedLine:
        if self.as_history:
            context = replace(context, history=True)
        new_id = str(uuid.uuid5(_NAMESPACE, row.id if number is None else f"{row.id}/{number}"))
        own_id = row.event_id if number is None and row.event_id else new_id
        try:
            line = corrected(raw, self.changes, own_id)
        except CorrectionError as error:
            if self.changes:
                return JudgedLine(raw, context, "quarantined", row.event_id, Reason.NOT_AN_OBJECT, "$", str(error))
            line = raw  # what is wrong with it is for the contract to say
        return _outcome(line, context, DecodeContext(self.rules.get(row.app_id), context, self.history_start))


def _outcome(line: bytes, envelope: EnvelopeContext, context: DecodeContext) -> JudgedLine:
    decoded = decode_event(line, context)
    if isinstance(decoded, Rejected):
        reason, path, message = decoded.reason.value, decoded.path, decoded.message
        return JudgedLine(line, envelope, "quarantined", decoded.event_id, reason, path, message)
    if isinstance(decoded, Filtered):
        message = f"a filter of the app leaves it out ({decoded.kind})"
        return JudgedLine(line, envelope, "filtered", decoded.event_id, decoded.kind.value, "$", message)
    return JudgedLine(line, envelope, "accepted", decoded.event_id)


def _context_of(row: QuarantinedEvent) -> EnvelopeContext:
    return EnvelopeContext(row.app_id, row.received_at, row.history, _DEFAULTS.decode(row.context))


def _unpacked(row: QuarantinedEvent) -> Iterator[tuple[bytes, EnvelopeContext]]:
    """Events of an envelope that could not be decoded, each with its context."""
    sections = _sections(row)
    lines = [unwrap(line) for line in split_envelope(row.raw, sections)]
    counts = [len(lines) if section.events is None else section.events for section in sections]
    if sum(counts) != len(lines):
        sections, counts = [Section(_context_of(row))], [len(lines)]
    contexts = (section.context for section, count in zip(sections, counts, strict=True) for _ in range(count))
    return zip(lines, contexts, strict=True)


def _sections(row: QuarantinedEvent) -> list[Section]:
    """Sections by the headers that were kept; where these were what was wrong, one that knows the arrival only."""
    try:
        return decode_sections(subjects.subject_for(row.app_id), _kept_headers(row.message), row.received_at)
    except ValueError:  # EnvelopeError, or a subject that no app can have
        return [Section(_context_of(row))]


def _kept_headers(message: str) -> dict[str, str]:
    """The envelope's headers, which the writer put into the row's message."""
    _, found, text = message.partition(_HEADERS)
    if not found:
        return {}
    try:
        headers = json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}


def messages(judged: JudgedRow) -> Iterator[Message]:
    """Envelopes that hold the row's events, corrected; rejected ones of a poison envelope get a row of their own.

    The headers carry what was known when the events came: when that was, whether as history, and from where.
    """
    for lines in _portions(judged.lines):
        body = encode_lines(line.line for line in lines)
        sections = [
            Section(context, events=len(list(same))) for context, same in groupby(lines, key=lambda line: line.context)
        ]
        digest = hashlib.sha256(b"\0".join((judged.row.app_id.encode(), judged.row.id.encode(), body))).hexdigest()
        headers = encode_headers(sections, f"replay-{digest[:40]}")
        yield Message(judged.row.app_id, body, headers, len(lines))


def _portions(lines: Sequence[JudgedLine]) -> Iterator[list[JudgedLine]]:
    portion: list[JudgedLine] = []
    size = 0
    for line in lines:
        if len(portion) == MAX_MESSAGE_EVENTS or (portion and size + len(line.line) > _MAX_LINES_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(line)
        size += len(line.line)
    if portion:
        yield portion
