"""Decodes runs of envelopes as single ones: by their apps' rules, and each by itself where they cannot be one."""

from collections.abc import Sequence

import structlog

from eventmill.contracts.subjects import app_of
from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.envelopes.runs import decode_run
from eventmill.envelopes.source import Envelope
from ingest_service.writer.decoding import EnvelopeDecoder

log = structlog.get_logger(__name__)


class RunDecoder(EnvelopeDecoder):
    """Decodes runs of envelopes too."""

    async def decode_run(self, run: Sequence[Envelope], arrived_at: float) -> list[DecodedEnvelope]:
        """A run's rows, as `decode` gives them; the last one ends where the run ends."""
        rules = await self._rules.of(app_of(run[0].subject), arrived_at)
        try:
            decoded = decode_run(run, rules, self._history_start)
        except Exception as error:  # noqa: BLE001 - which envelope caused it is found one by one
            log.warning("run cannot be decoded", first=run[0].sequence, last=run[-1].sequence, error=str(error))
            decoded = None
        return decoded or [await self.decode(envelope, arrived_at) for envelope in run]
