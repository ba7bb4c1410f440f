"""The broker as the gateway sees it: publish an envelope, or say why that cannot be done now."""

import asyncio
import time
from collections.abc import Sequence

import httpx
import nats.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js import errors as js_errors
from prometheus_client import CollectorRegistry

from eventmill import stream, telemetry
from eventmill.contracts import metrics
from eventmill.errors import EventmillError, NotReadyError
from eventmill.settings import Settings
from eventmill.stream import PublishError, StreamFullError
from ingest_service.gateway.atomic_batch import BatchError, publish_batch
from ingest_service.gateway.group_commit import Message

WATCH_SECONDS = 5.0
RETRY_SECONDS = 0.5
BATCH_SECONDS = 0.8

logger = structlog.get_logger(__name__)


class Broker:
    """Connects in the background, for as long as it takes; publishes only to a broker that syncs before it confirms."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        self._seconds = telemetry.histogram(metrics.GATEWAY_PUBLISH_SECONDS, registry)
        self._failures = telemetry.counter(metrics.GATEWAY_PUBLISH_FAILURES, registry)

    async def watch(self) -> None:
        """Connect, then look after the connection until cancelled; each new trouble is logged once."""
        trouble = ""
        while True:
            try:
                await (self._connect() if self._jetstream is None else self.check())
            except (EventmillError, httpx.HTTPError, TimeoutError) as error:
                if trouble != (trouble := str(error) or type(error).__name__):
                    logger.warning("broker not ready", error=trouble)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                trouble = ""
                await asyncio.sleep(WATCH_SECONDS)

    async def _connect(self) -> None:
        if self._client is None:
            self._client = await stream.connect(self._settings, "gateway")
        jetstream = self._client.jetstream(timeout=1)
        await self._refuse_late_sync()
        try:
            await stream.ensure_stream(jetstream, self._settings)
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            raise NotReadyError(f"The stream is not there: {str(error) or type(error).__name__}") from error
        self._jetstream = jetstream
        logger.info("broker connected")

    async def _refuse_late_sync(self) -> None:
        # A confirmation before fsync is no promise: such a broker would lose what we call accepted.
        if await stream.is_sync_always(self._settings) is False:
            self._jetstream = None
            raise NotReadyError(
                "The broker confirms before it syncs.",
                "Set `jetstream { sync_interval: always }` in its configuration.",
            )

    async def check(self) -> None:
        """Raises NotReadyError (or httpx.HTTPError from its monitoring port) where the broker cannot take events."""
        if self._jetstream is None:
            raise NotReadyError("The broker is not connected.")
        await self._refuse_late_sync()
        await self._check_health()
        await stream.identify_stream(self._jetstream)

    async def _check_health(self) -> None:
        # With a full disk the server stays connected and merely never confirms: only this tells.
        address = self._settings.nats_monitor_address
        if address is None:
            return
        async with httpx.AsyncClient(timeout=2) as client:
            response = await client.get(f"{address}/healthz")
        if response.status_code != 200:
            raise NotReadyError(f"The broker is not healthy: {response.text[:200]}")

    async def publish(self, message: Message) -> None:
        """Return once the broker has the envelope on its disk.

        Raises NotReadyError, StreamFullError or PublishError.
        """
        app_id, body, headers, deadline = message
        _, jetstream = await self._connected(deadline)
        started = time.monotonic()
        try:
            await stream.publish_envelope(jetstream, app_id, body, headers, deadline - started)
        except (StreamFullError, PublishError) as error:
            cause = "stream_full" if isinstance(error, StreamFullError) else "not_confirmed"
            self._failures.labels(cause).inc()
            raise
        self._seconds.observe(time.monotonic() - started)

    async def publish_together(self, messages: Sequence[Message]) -> list[EventmillError | None]:
        """As `publish` for each message, in one atomic batch where the broker takes it.

        A batch that is not confirmed says nothing of any message: it may be stored without its answer having come, it
        may come to be stored later, and one message whose id is known (or one too many for the stream) has all refused.
        So each message is then published by itself, under the same id: what is stored already is confirmed as such.
        """
        deadline = min(message.deadline for message in messages)
        try:
            client, _ = await self._connected(deadline)
            started = time.monotonic()
            # The other half of the time is left for the messages by themselves.
            await publish_batch(client, messages, min(BATCH_SECONDS, (deadline - started) / 2))
        except NotReadyError as error:
            return [error.with_traceback(None)] * len(messages)
        except BatchError as error:
            logger.info("batch not confirmed, its envelopes go one by one", envelopes=len(messages), reason=str(error))
            return await asyncio.gather(*(self._failure_of(message) for message in messages))
        seconds = time.monotonic() - started
        for _ in messages:
            self._seconds.observe(seconds)
        return [None] * len(messages)

    async def _failure_of(self, message: Message) -> EventmillError | None:
        try:
            await self.publish(message)
        except EventmillError as error:
            return error.with_traceback(None)
        return None

    async def _connected(self, deadline: float) -> tuple[Client, JetStreamContext]:
        """Waits for a reconnection: a publish meanwhile would lie in a buffer and be sent after we said no."""
        while self._client is None or self._jetstream is None or not self._client.is_connected:
            if time.monotonic() + 0.05 >= deadline:
                self._failures.labels("not_confirmed").inc()
                raise NotReadyError("The broker is not connected.")
            await asyncio.sleep(0.05)
        return self._client, self._jetstream

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()
