"""Turns an envelope into rows: events to store, and rejected ones to quarantine."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Rejected, decode_event
from eventmill.contracts.envelope import EnvelopeError, decode_headers, split_body, unwrap
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.limits import MAX_REQUEST_EVENTS
from eventmill.contracts.reasons import Reason
from eventmill.contracts.subjects import app_of
from ingest_service.writer.attempts import AttemptFile
from ingest_service.writer.rules import RulesCache
from ingest_service.writer.source import Envelope

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DecodedEnvelope:
    """An envelope's rows. `events[i]` has row number `event_rows[i]`: its place in the envelope, rejected ones too."""

    sequence: int
    published_at: datetime
    size: int
    context: EnvelopeContext
    events: list[StoredEvent]
    event_rows: list[int]
    rejected: list[Rejected]
    rejected_rows: list[int]
    missing: int = 0

    def without(self, rows: Collection[int]) -> "DecodedEnvelope":
        """The envelope without the rows of these numbers."""
        events = [(event, row) for event, row in zip(self.events, self.event_rows, strict=True) if row not in rows]
        rejected = [(item, row) for item, row in zip(self.rejected, self.rejected_rows, strict=True) if row not in rows]
        return replace(
            self,
            events=[event for event, _ in events],
            event_rows=[row for _, row in events],
            rejected=[item for item, _ in rejected],
            rejected_rows=[row for _, row in rejected],
        )


class EnvelopeDecoder:
    """Decodes by the rules of the envelope's app. `history_start` is the first instant that has a partition."""

    def __init__(
        self,
        rules: RulesCache,
        attempts: AttemptFile,
        history_start: datetime,
        decode: Callable[[Envelope, AppRules | None, datetime], DecodedEnvelope] | None = None,
        retry_seconds: float = 0.2,
    ) -> None:
        self._rules = rules
        self._attempts = attempts
        self._history_start = history_start
        self._decode = decode or decode_envelope
        self._retry_seconds = retry_seconds

    async def decode(self, envelope: Envelope, arrived_at: float) -> DecodedEnvelope:
        """The envelope's rows; where decoding itself fails three times, one rejected row that holds it whole.

        `arrived_at` is by the clock of the rules.
        """
        rules = await self._rules.of(app_of(envelope.subject), arrived_at)
        while True:
            try:
                return self._decode(envelope, rules, self._history_start)
            except Exception as error:  # noqa: BLE001 - whatever an envelope causes must not stop the ones behind it
                attempts = self._attempts.count(envelope.sequence)
                log.warning(
                    "envelope cannot be decoded", sequence=envelope.sequence, attempt=attempts, error=str(error)
                )
                if attempts >= MAX_ATTEMPTS:
                    return poisoned(envelope, error)
            await asyncio.sleep(self._retry_seconds)


def decode_envelope(envelope: Envelope, rules: AppRules | None, history_start: datetime) -> DecodedEnvelope:
    """Decode every event of an envelope. Raises EnvelopeError where headers or size are not of the contract's form."""
    context = decode_headers(envelope.subject, envelope.headers, envelope.published_at)
    lines = split_body(envelope.body)
    # Row numbers beyond it would collide in the order that decides which copy of a duplicate counts.
    if len(lines) > MAX_REQUEST_EVENTS:
        raise EnvelopeError(f"an envelope holds at most {MAX_REQUEST_EVENTS:,} events, this one {len(lines):,}")
    decoded = DecodedEnvelope(
        envelope.sequence,
        envelope.published_at,
        len(envelope.body),
        context,
        events=[],
        event_rows=[],
        rejected=[],
        rejected_rows=[],
        missing=envelope.missing,
    )
    decode_context = DecodeContext(rules, context, history_start)
    for row, line in enumerate(lines):
        result = decode_event(unwrap(line), decode_context)
        if isinstance(result, Rejected):
            decoded.rejected.append(result)
            decoded.rejected_rows.append(row)
        else:
            decoded.events.append(result)
            decoded.event_rows.append(row)
    return decoded


def poisoned(envelope: Envelope, error: Exception) -> DecodedEnvelope:
    """An envelope as one rejected row that keeps its bytes, and its headers for whoever replays it."""
    message = f"{type(error).__name__}: {error}\nheaders: {msgspec.json.encode(dict(envelope.headers)).decode()}"
    return DecodedEnvelope(
        envelope.sequence,
        envelope.published_at,
        len(envelope.body),
        EnvelopeContext(app_of(envelope.subject), envelope.published_at),
        events=[],
        event_rows=[],
        rejected=[Rejected(Reason.POISON_ENVELOPE, "$", message, envelope.body)],
        rejected_rows=[0],
        missing=envelope.missing,
    )
