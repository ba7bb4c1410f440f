"""Decodes a stretch of the stream once more, for the repair of data files."""

import time
from collections.abc import Callable, Sequence

from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.envelopes.source import OrderedSource
from eventmill.stream import StreamClient, StreamIdentity
from ingest_service.writer.decoding import EnvelopeDecoder


async def replay(
    client: StreamClient,
    decoder: EnvelopeDecoder,
    verify: Callable[[StreamIdentity], None],
    first: int,
    last: int,
    clock: Callable[[], float] = time.monotonic,
) -> Sequence[DecodedEnvelope]:
    """Envelopes whose sequence lies in `[first, last]`, as far as the stream still has them."""
    source = OrderedSource(client, first - 1, verify)
    decoded: list[DecodedEnvelope] = []
    try:
        while True:
            envelopes = await source.receive(1.0)
            for envelope in envelopes:
                if envelope.sequence > last:
                    return decoded
                decoded.append(await decoder.decode(envelope, clock()))
            if decoded and decoded[-1].sequence == last:
                return decoded
            if not envelopes and source.is_open and await source.pending() == 0:
                return decoded
    finally:
        await source.close()
