"""Reads the stream into the windows: from an hour ago on, then whatever comes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time

import nats.errors
import structlog
from nats.aio.msg import Msg

from eventmill.cancelling import cancel
from eventmill.contracts.subjects import UPDATED_SUBJECT_PREFIX, app_of
from eventmill.control.rules_cache import RulesCache, load_rules
from eventmill.envelopes.source import Envelope, OrderedSource, PullLimits
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.stream import StreamClient, StreamIdentity, connect, identify_stream
from query_service.live.decoding import decode
from query_service.live.service import LiveWindows

log = structlog.get_logger(__name__)

# Events that took a while to arrive, and clocks that are ahead.
MARGIN = timedelta(minutes=5)
SPAN = timedelta(minutes=60)
# Small enough that a decoded batch keeps nobody waiting.
LIMITS = PullLimits(messages=500, bytes=1024 * 1024)
# What comes in that time is decoded together.
GATHER_SECONDS = 0.02
WAIT_SECONDS = 1.0
RETRY_SECONDS = 1.0


class StreamReplacedError(Exception):
    """Another stream has taken the place of the one that is being read."""


class StreamReader:
    """Fills the windows, and passes on which apps' aggregates were updated. Runs until it is stopped.

    `on_news` gets the messages behind `on_updated`: the app's id and JSON as `analytics_pipeline.news` writes it.
    """

    def __init__(
        self,
        settings: Settings,
        windows: LiveWindows,
        on_updated: Callable[[str], None],
        on_news: Callable[[str, bytes], None] = lambda _app_id, _body: None,
    ) -> None:
        self._settings, self._windows = settings, windows
        self._on_updated, self._on_news = on_updated, on_news
        self._rules = RulesCache(lambda: load_rules(settings))
        self._history_start = datetime.combine(settings.history_start, clock_time(), UTC)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background; waits for no broker."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End for good."""
        if self._task is not None:
            await cancel(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._connected()
            except NotReadyError as error:
                if self._windows.problem != error.message:
                    log.warning("the live window cannot be read", reason=error.message)
                self._windows.problem = error.message
            except StreamReplacedError:
                log.warning("the event stream was replaced: the live window is rebuilt")
            except Exception:  # nobody waits for this task: without a line the numbers would stand still, unexplained
                log.exception("the live window is rebuilt")
            self._windows.begin_again()
            await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> None:
        client = await connect(self._settings, "live")
        try:
            await client.subscribe(f"{UPDATED_SUBJECT_PREFIX}*", cb=self._note_update)
            await self._rules.wait_until_loaded()
            while True:
                await self._follow(client)
        finally:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await client.close()

    async def _note_update(self, message: Msg) -> None:
        app_id = message.subject.removeprefix(UPDATED_SUBJECT_PREFIX)
        self._on_updated(app_id)
        self._on_news(app_id, message.data)

    async def _follow(self, client: StreamClient) -> None:
        """Read one stream. Raises StreamReplacedError or NotReadyError."""
        stream = await identify_stream(client.jetstream(timeout=5))

        def verify(current: StreamIdentity) -> None:
            if current.created_at != stream.created_at:
                raise StreamReplacedError

        source = OrderedSource(client, 0, verify, LIMITS, since=datetime.now(UTC) - SPAN - MARGIN)
        self._windows.begin_again()
        try:
            await self._read(source, stream.last_seq)
        finally:
            await source.close()

    async def _read(self, source: OrderedSource, target: int) -> None:
        advanced_at = time.monotonic()
        while True:
            envelopes = await source.receive(WAIT_SECONDS)
            if envelopes:
                await self._take(envelopes)
            await self._note_progress(source, envelopes, target)
            if time.monotonic() - advanced_at >= 1:
                await self._windows.advance()
                advanced_at = time.monotonic()
            if envelopes:
                await asyncio.sleep(GATHER_SECONDS if self._windows.is_rebuilt else 0)

    async def _take(self, envelopes: Sequence[Envelope]) -> None:
        arrived_at = time.monotonic()
        app_ids = {app_of(envelope.subject) for envelope in envelopes}
        rules = {app_id: await self._rules.of(app_id, arrived_at) for app_id in app_ids}
        for app_id in [app_id for app_id, known in rules.items() if known is None]:
            self._windows.forget(app_id)
        tables = await asyncio.to_thread(decode, envelopes, rules, self._history_start)
        if tables:
            await self._windows.add(tables)

    async def _note_progress(self, source: OrderedSource, envelopes: Sequence[Envelope], target: int) -> None:
        """Say how far the windows are: up to now where nothing waits, else up to the last envelope."""
        windows = self._windows
        windows.problem = None if source.is_open else "The stream of events is not being read."
        if envelopes:
            windows.complete_through = envelopes[-1].published_at
        elif source.is_open:
            windows.complete_through = datetime.now(UTC) - timedelta(seconds=WAIT_SECONDS)
        if not windows.is_rebuilt and source.is_open:
            with contextlib.suppress(NotReadyError):
                windows.is_rebuilt = source.last_sequence >= target or not await source.pending()
