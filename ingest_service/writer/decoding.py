"""Decodes envelopes by their apps' rules; one that cannot be decoded is kept whole, after three tries."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from eventmill.contracts.decode import AppRules
from eventmill.contracts.envelope import EnvelopeError
from eventmill.contracts.subjects import app_of
from eventmill.control.rules_cache import RulesCache
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope, poisoned
from eventmill.envelopes.source import Envelope
from ingest_service.writer.attempts import AttemptFile

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
_FLOOD_SECONDS = 60.0


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
        self._given_up_at = float("-inf")

    async def decode(self, envelope: Envelope, arrived_at: float) -> DecodedEnvelope:
        """The envelope's rows; where it cannot be decoded, one rejected row that holds it whole.

        An envelope against the contract stays so: it is rejected at once. Any other error may pass, so there are three
        tries, restarts included. `arrived_at` is by the clock of the rules.
        """
        rules = await self._rules.of(app_of(envelope.subject), arrived_at)
        while True:
            try:
                return self._decode(envelope, rules, self._history_start)
            except EnvelopeError as error:
                log.debug("envelope is not of the contract's form", sequence=envelope.sequence, error=str(error))
                return poisoned(envelope, error)
            except Exception as error:  # noqa: BLE001 - whatever an envelope causes must not stop the ones behind it
                attempts = self._attempts.count(envelope.sequence)
                log.warning(
                    "envelope cannot be decoded", sequence=envelope.sequence, attempt=attempts, error=str(error)
                )
                if attempts >= MAX_ATTEMPTS:
                    self._given_up_at = arrived_at
                    return poisoned(envelope, error)
            # What did not pass just before will hardly do so now: a flood of such envelopes must not pause at each.
            is_flood = arrived_at - self._given_up_at < _FLOOD_SECONDS
            await asyncio.sleep(0 if is_flood else self._retry_seconds)
