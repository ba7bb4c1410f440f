"""Hears of commits from the writer and tells others which periods have new numbers, both on NATS.

None of it is needed for the numbers: notices are no cursor, and whoever misses an update reads the marts.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

import nats.errors

from analytics_pipeline.lib.calendar import Period
from eventmill import stream
from eventmill.contracts.subjects import COMMITTED_SUBJECT, updated_subject
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.stream import StreamClient

log = logging.getLogger(__name__)
# A broker that does not confirm for so long is away; the numbers do not wait for it.
_FLUSH_SECONDS = 2
# At most this many starts of periods are named in a message; more are a range.
MAX_PERIODS = 500


class News:
    """A connection to the broker, or none where it is away. `failures` counts the updates that could not be told."""

    def __init__(self, settings: Settings) -> None:
        self.failures = 0
        self._settings = settings
        self._client: StreamClient | None = None
        self._committed = asyncio.Event()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> "News":
        try:
            self._client = await stream.connect(self._settings, "eventmill-refresh", allow_reconnect=False)
            await self._client.subscribe(COMMITTED_SUBJECT, cb=self._hear)
        except (NotReadyError, nats.errors.Error, OSError) as error:
            log.warning("The broker does not answer, so nobody is told of new numbers: %s", error)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def _hear(self, _message: object) -> None:
        self._committed.set()

    async def wait(self, seconds: float) -> bool:
        """Whether the writer has committed since the last call, waiting up to `seconds` for it."""
        try:
            await asyncio.wait_for(self._committed.wait(), seconds)
        except TimeoutError:
            return False
        self._committed.clear()
        return not self._stopping.is_set()

    def stop(self) -> None:
        """Have whoever waits or rests end at once."""
        self._stopping.set()
        self._committed.set()

    async def rest(self, seconds: float) -> None:
        """Do nothing for so long, unless told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def tell(self, table_name: str, periods: Sequence[Period]) -> None:
        """Publish `analytics.aggregate.updated.<app_id>` for each app and grain. Never raises for a broker's sake."""
        messages = updates(table_name, periods)
        if self._client is None:
            self.failures += len(messages)
            return
        try:
            for app_id, body in messages:
                await self._client.publish(updated_subject(app_id), body)
            await self._client.flush(_FLUSH_SECONDS)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            self.failures += len(messages)
            log.warning("%d updates could not be told: %s", len(messages), error)


def updates(table_name: str, periods: Sequence[Period]) -> list[tuple[str, bytes]]:
    """App and JSON body of each message: table, grain, and the starts of the periods in UTC, the newest ones."""
    starts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for period in periods:
        starts[period.app_id, period.grain].add(period.start.isoformat())
    return [
        (
            app_id,
            json.dumps({"table": table_name, "grain": grain, "periods": sorted(found)[-MAX_PERIODS:]}).encode(),
        )
        for (app_id, grain), found in sorted(starts.items())
    ]


def tell(settings: Settings, table_name: str, periods: Sequence[Period]) -> int:
    """Tell of new numbers once; how many updates could not be told."""

    async def tell_once() -> int:
        async with News(settings) as news:
            await news.tell(table_name, periods)
            return news.failures

    return asyncio.run(tell_once()) if periods else 0


async def follow(
    news: News, refresh: Callable[[], Sequence[Period]], *, seconds: float, idle_seconds: float, rest_seconds: float
) -> None:
    """Call `refresh` now and after every commit until `seconds` have passed, or `idle_seconds` without a commit.

    It rests at least as long as a refresh took, so that it never takes more than half of a processor.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        started_at = loop.time()
        periods = await asyncio.to_thread(refresh)
        await news.tell("metric", periods)
        took = loop.time() - started_at
        await news.rest(max(took, rest_seconds - took))
        if loop.time() > until or not await news.wait(min(idle_seconds, max(0.0, until - loop.time()))):
            return
