"""Events that keep arriving, so that the live window moves while it is asked."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.settings import Settings
from eventmill.stream import publish_envelope
from eventmill.synthetic.flow import Plan, Shares, lines

# As a gateway in front of many small clients publishes: an envelope every tenth of a second.
TICK_SECONDS = 0.1


@contextmanager
def feeding(settings: Settings, app_id: str, rate: int) -> Iterator[None]:
    """Publish about `rate` events a second of an app, from a thread. Raises what went wrong at the end."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_feed(settings, app_id, rate, stop))
        except Exception as error:  # noqa: BLE001 - told below, in the thread that measures
            failed.append(error)

    thread = threading.Thread(target=run, name="feeding")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


async def _feed(settings: Settings, app_id: str, rate: int, stop: threading.Event) -> None:
    flow = lines(Plan(app_id, None, datetime.now(UTC), seed=7, rate=rate, shares=Shares(0, 0, 0)))
    client = await stream.connect(settings, "bench")
    loop = asyncio.get_running_loop()
    next_at = loop.time()
    try:
        while not stop.is_set():
            batch = [line.raw for line in islice(flow, max(1, round(rate * TICK_SECONDS)))]
            await publish_envelope(client.jetstream(), app_id, encode_lines(batch), {}, budget_seconds=10)
            next_at += TICK_SECONDS
            await asyncio.sleep(max(0.0, next_at - loop.time()))
    finally:
        await client.close()
