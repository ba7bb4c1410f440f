"""The stream of envelopes, for tests whose service only reads it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from eventmill.settings import Settings
from eventmill.stream import connect, ensure_stream

# The tests' broker has less room than the default asks for.
MAX_BYTES = 512 * 1024**2


def make_stream(settings: Settings) -> None:
    """Create the stream unless it is there."""
    # In a thread of its own: an event loop of the test may be set in this one.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, _make(settings)).result()


async def _make(settings: Settings) -> None:
    client = await connect(settings, "test")
    try:
        await ensure_stream(client.jetstream(), settings.model_copy(update={"stream_max_bytes": MAX_BYTES}))
    finally:
        await client.close()
