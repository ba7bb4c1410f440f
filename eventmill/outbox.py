"""Sends envelopes to the broker or the gateway until each one is acknowledged, a bounded number at a time."""

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from nats.js import JetStreamContext

from eventmill.contracts import subjects
from eventmill.contracts.envelope import encode_lines
from eventmill.errors import EventmillError, NotReadyError
from eventmill.stream import MAX_MESSAGE_BYTES, PublishError, StreamFullError, publish_envelope

MAX_ENVELOPE_EVENTS = 500
# Half of what the stream takes in one message: a line that needs wrapping grows.
MAX_ENVELOPE_BYTES = MAX_MESSAGE_BYTES // 2
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """Events to be stored together. The id stays the same at every attempt, so the broker stores them once."""

    lines: Sequence[bytes]
    history: bool = False
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))


async def history_envelopes(lines: Iterable[bytes]) -> AsyncIterator[Envelope]:
    """The lines in envelopes of history, as large as the limits allow."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if len(chunk) == MAX_ENVELOPE_EVENTS or (chunk and size + len(line) > MAX_ENVELOPE_BYTES):
            yield Envelope(chunk, history=True)
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield Envelope(chunk, history=True)


class RetryError(Exception):
    """Not acknowledged, worth another attempt; `after_seconds` is the receiver's wish, if it has one."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Route(Protocol):
    """A way to the stream."""

    async def send(self, envelope: Envelope) -> int:
        """Sequence in the stream under which the envelope is durable, 0 where the route does not tell.

        Raises RetryError, or EventmillError where another attempt is pointless.
        """


class NatsRoute:
    """Straight to JetStream; `received_at` is the broker's own time."""

    def __init__(self, js: JetStreamContext, app_id: str) -> None:
        self._js = js
        self._app_id = app_id

    async def send(self, envelope: Envelope) -> int:
        """Publish and wait for the PubAck."""
        headers = {subjects.HEADER_MSG_ID: envelope.message_id}
        if envelope.history:
            headers[subjects.HEADER_HISTORY] = "true"
        try:
            ack = await publish_envelope(self._js, self._app_id, encode_lines(envelope.lines), headers)
        except (PublishError, StreamFullError) as error:
            raise RetryError(error.message) from error
        return ack.seq


class HttpRoute:
    """Through the gateway's `POST /v1/events`; `client` carries its address and the write key."""

    def __init__(self, client: httpx.AsyncClient, app_id: str) -> None:
        self._client = client
        self._app_id = app_id

    async def send(self, envelope: Envelope) -> int:
        """Post as NDJSON and wait for a 2xx. 429 and 503 are tried again when `Retry-After` says."""
        try:
            response = await self._client.post(
                "/v1/events",
                content=encode_lines(envelope.lines),
                headers={"content-type": "application/x-ndjson"},
                # A key may cover several apps; the events themselves do not say which one they are for.
                params={"app_id": self._app_id} | ({"history": "true"} if envelope.history else {}),
            )
        except httpx.TransportError as error:
            raise RetryError(f"the gateway does not answer: {error or type(error).__name__}") from error
        if response.status_code in {429, 502, 503, 504}:
            raise RetryError(f"the gateway answered {response.status_code}", _retry_after(response))
        if not response.is_success:
            raise EventmillError(
                f"The gateway refused the events ({response.status_code}): {response.text[:500]}",
                "Is the key a write key of this app?" if response.status_code in {401, 403} else "",
            )
        return 0


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


async def ignore_lost_connection(_: Exception) -> None:
    """Error callback for the outbox's broker client, whose default prints a traceback at each attempt to reconnect.

    Nothing gets lost: what is not acknowledged is sent again, and the outbox reports it when that does not help.
    """


class Outbox:
    """Delivers envelopes over `route`, at most `max_in_flight` at once, and reports each one that is durable.

    `patience_seconds` is how long it keeps trying while nothing at all is acknowledged; None is for ever.
    """

    def __init__(
        self,
        route: Route,
        on_acknowledged: Callable[[Envelope, int], None],
        *,
        max_in_flight: int = 8,
        patience_seconds: float | None = 120,
    ) -> None:
        self._route = route
        self._on_acknowledged = on_acknowledged
        self._slots = asyncio.Semaphore(max_in_flight)
        self._patience_seconds = patience_seconds
        self._last_success = 0.0
        self.retries = 0

    async def deliver(self, envelopes: AsyncIterable[Envelope]) -> None:
        """Return when all of them are acknowledged. Raises EventmillError at the first that cannot be."""
        self._last_success = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                async for envelope in envelopes:
                    await self._slots.acquire()
                    tasks.create_task(self._deliver_one(envelope))
        except BaseExceptionGroup as group:
            # One reason is enough for the reader; the others say the same.
            raise group.exceptions[0] from None

    def limit_patience(self, seconds: float) -> None:
        """From now on give up after `seconds` without an acknowledgement."""
        self._patience_seconds = seconds
        self._last_success = asyncio.get_running_loop().time()

    async def _deliver_one(self, envelope: Envelope) -> None:
        try:
            sequence = await self._until_acknowledged(envelope)
        finally:
            self._slots.release()
        self._last_success = asyncio.get_running_loop().time()
        self._on_acknowledged(envelope, sequence)

    async def _until_acknowledged(self, envelope: Envelope) -> int:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._route.send(envelope)
            except RetryError as error:
                self._give_up_after_patience(error)
                self.retries += 1
                await asyncio.sleep(error.after_seconds if error.after_seconds is not None else pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _give_up_after_patience(self, error: RetryError) -> None:
        waited = asyncio.get_running_loop().time() - self._last_success
        if self._patience_seconds is not None and waited > self._patience_seconds:
            raise NotReadyError(
                f"Nothing has been acknowledged for {waited:.0f} s: {error}",
                "`eventmill status` tells what is down. What was acknowledged before is safe.",
            ) from error
