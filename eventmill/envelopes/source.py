"""Reads the stream in order from a sequence on, and opens a new consumer whenever that order is in doubt.

The consumer is ephemeral and needs no acknowledgements: the lake is the only cursor. A delivery that got lost shows
as a gap in the *consumer's* sequence; a gap in the *stream's* sequence alone means that those messages were deleted
or purged, for instance with an app, and is only counted.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js import errors as js_errors

from eventmill.contracts.subjects import STREAM, SUBJECTS
from eventmill.errors import NotReadyError
from eventmill.stream import StreamClient, StreamIdentity, identify_stream

log = structlog.get_logger(__name__)

_HEARTBEAT = b"NATS/1.0 100"
_DELIVERY = b"$JS.ACK."
_SHORT_FORM = 9
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Subject, reply subject, body and raw headers.
_Message = tuple[bytes, bytes, bytes, bytes | None]
# The request is used up or ran out of time: the next one goes on with the same consumer.
_ENDS_REQUEST = ("404", "408")
_STATUS = "Status"
_DESCRIPTION = "Description"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message of the stream. `published_at` is the broker's timestamp (UTC), `missing` how many sequences before
    this one the stream no longer has."""

    sequence: int
    subject: str
    headers: Mapping[str, str]
    body: bytes
    published_at: datetime
    missing: int = 0


@dataclass(frozen=True, slots=True)
class PullLimits:
    """How much one request may bring, and how its silence is told from an idle stream."""

    messages: int = 500
    bytes: int = 8 * 1024 * 1024
    expires_seconds: float = 30.0
    heartbeat_seconds: float = 1.0
    reopen_pause_seconds: float = 0.25


class _DisorderError(Exception):
    """A delivery was lost, repeated, or the consumer is gone."""


class OrderedSource:
    """Envelopes in ascending order after a sequence, or from those on that the broker stored at `since`.

    `verify` sees the stream's identity at every opening and raises where it is not the stream that is meant.
    """

    def __init__(
        self,
        client: StreamClient,
        after: int,
        verify: Callable[[StreamIdentity], None],
        limits: PullLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        since: datetime | None = None,
    ) -> None:
        self._since = since
        self._client = client
        self._js = client.jetstream(timeout=5)
        self.verify = verify
        self._limits = limits or PullLimits()
        self._clock = clock
        self._last_sequence = after
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._arrived: deque[_Message] = deque()
        self._has_news = asyncio.Event()
        self._forget_request()

    def _forget_request(self) -> None:
        self._requested = 0
        self._delivered = 0
        self._heard_at = self._clock()

    @property
    def last_sequence(self) -> int:
        """Sequence of the last envelope that was taken; where none was, the one that reading began after."""
        return self._last_sequence

    @property
    def is_open(self) -> bool:
        """Whether a consumer is open and was heard of lately."""
        return self._subscription is not None and self._client.is_connected and not self._is_silent()

    async def pending(self) -> int:
        """Messages that were not taken yet. Raises NotReadyError where the broker does not answer."""
        info = await self._consumer_info()
        return int(info.num_pending or 0) + len(self._arrived)

    async def oldest_waiting_at(self) -> datetime | None:
        """Broker's time of the first message that was not taken yet; None where there is none.

        Raises NotReadyError where the broker does not answer.
        """
        try:
            message = await self._js.get_msg(STREAM, seq=self._last_sequence + 1, subject=SUBJECTS[0], next=True)
        except js_errors.NotFoundError:
            return None
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            raise NotReadyError(f"The broker does not answer: {error or type(error).__name__}") from error
        return message.time.astimezone(UTC) if message.time else None

    async def _consumer_info(self) -> api.ConsumerInfo:
        if self._subscription is None:
            raise NotReadyError("The consumer is not open.")
        try:
            info: api.ConsumerInfo = await self._js.consumer_info(STREAM, self._consumer)
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            raise NotReadyError(f"The broker does not answer: {error or type(error).__name__}") from error
        return info

    async def deleted_through(self) -> int | None:
        """End of the stream, where the messages between the last one taken and that end no longer exist.

        None where there are none, or any of them may still come: told by the consumer having delivered exactly what
        was taken, with nothing left. Raises NotReadyError where the broker does not answer.
        """
        end = (await identify_stream(self._js)).last_seq
        if end <= self._last_sequence:
            return None
        info = await self._consumer_info()
        was_all_taken = info.delivered is not None and info.delivered.consumer_seq == self._delivered
        return end if was_all_taken and not info.num_pending and not self._arrived else None

    async def receive(self, wait_seconds: float) -> list[Envelope]:
        """What has arrived, at once where there is something, else whatever comes within `wait_seconds`.

        Comes back empty while the broker is away. Passes on what `verify` raises.
        """
        try:
            if self._subscription is None:
                await self._open()
            await self._request()
            await self._wait(wait_seconds)
            return await self._take()
        except (_DisorderError, NotReadyError, nats.errors.Error, js_errors.Error, TimeoutError) as error:
            log.warning("consumer is opened again", reason=str(error) or type(error).__name__)
            await self.close()
            await asyncio.sleep(self._limits.reopen_pause_seconds)
            return []

    async def _open(self) -> None:
        self.verify(await identify_stream(self._js))
        config = api.ConsumerConfig(
            **self._start(),
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=60,
            mem_storage=True,
            num_replicas=1,
        )
        info = await self._js.add_consumer(STREAM, config)
        self._consumer = str(info.name)
        self._arrived.clear()
        self._forget_request()
        # An inbox of its own keeps late deliveries of an older consumer out.
        self._subscription = await self._client.subscribe(self._client.new_inbox())
        self._client.divert(self._subscription, self._arrive)
        log.info("consumer opened", consumer=self._consumer, after=self._last_sequence)

    def _start(self) -> dict[str, Any]:
        if self._since is not None and self._last_sequence == 0:
            return {"deliver_policy": api.DeliverPolicy.BY_START_TIME, "opt_start_time": self._since}
        return {"deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self._last_sequence + 1}

    async def close(self) -> None:
        """Give the consumer up; what was not taken yet is read again by the next one."""
        subscription, self._subscription = self._subscription, None
        self._arrived.clear()
        if subscription is None or not self._client.is_connected:
            return
        try:
            await subscription.unsubscribe()
            await self._js.delete_consumer(STREAM, self._consumer)
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            log.debug("consumer is left to expire", consumer=self._consumer, reason=str(error))

    def _arrive(self, subject: bytes, reply: bytes, body: bytes, headers: bytes | None) -> None:
        self._heard_at = self._clock()
        if not reply.startswith(_DELIVERY) and headers is not None and headers.startswith(_HEARTBEAT):
            return
        self._arrived.append((subject, reply, body, headers))
        self._has_news.set()

    async def _request(self) -> None:
        if self._requested > 0 or self._subscription is None:
            return
        limits = self._limits
        request = {
            "batch": limits.messages,
            "max_bytes": limits.bytes,
            "expires": int(limits.expires_seconds * 1e9),
            "idle_heartbeat": int(limits.heartbeat_seconds * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self._consumer}"
        self._requested, self._heard_at = limits.messages, self._clock()
        await self._client.publish(subject, msgspec.json.encode(request), reply=self._subscription.subject)

    async def _wait(self, seconds: float) -> None:
        if not self._arrived:
            self._has_news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._has_news.wait()
            except TimeoutError:
                pass
        if not self._arrived and self._is_silent():
            raise _DisorderError("the broker has gone silent")

    def _is_silent(self) -> bool:
        return self._requested > 0 and self._clock() - self._heard_at > 3 * self._limits.heartbeat_seconds

    async def _take(self) -> list[Envelope]:
        taken: list[Envelope] = []
        while self._arrived:
            message = self._arrived.popleft()
            subject, reply, body, raw = message
            # What the broker itself sends answers to nobody; a publisher's own status line means nothing.
            is_delivery = reply.startswith(_DELIVERY)
            headers = await self._client.headers_of(raw) if raw else _NO_HEADERS
            try:
                if is_delivery:
                    taken.append(self._in_order(subject, reply, body, headers))
                else:
                    self._end_request(headers.get(_STATUS, ""), headers)
            except _DisorderError:
                if not taken:
                    raise
                # What came in order counts; the next call meets the rest again.
                self._arrived.appendleft(message)
                return taken
        return taken

    def _end_request(self, status: str, headers: Mapping[str, str]) -> None:
        description = headers.get(_DESCRIPTION, "")
        # 409 stands for many things; only these two leave the consumer usable.
        used_up = status == "409" and ("Exceeds MaxBytes" in description or "Batch Completed" in description)
        if status not in _ENDS_REQUEST and not used_up:
            raise _DisorderError(f"{status} {description}")
        self._requested = 0

    def _in_order(self, subject: bytes, reply: bytes, body: bytes, headers: Mapping[str, str]) -> Envelope:
        sequence, delivery, published_at = _metadata(reply)
        if delivery != self._delivered + 1 or sequence <= self._last_sequence:
            raise _DisorderError(
                f"delivery {delivery} (sequence {sequence}) came after delivery {self._delivered} "
                f"(sequence {self._last_sequence})"
            )
        missing = sequence - self._last_sequence - 1
        self._delivered = delivery
        self._requested -= 1
        self._last_sequence = sequence
        return Envelope(sequence, subject.decode("utf-8", "replace"), headers, body, published_at, missing)


def _metadata(reply: bytes) -> tuple[int, int, datetime]:
    """Sequence in the stream, number of the delivery and broker's time of a message, from its reply subject.

    That is `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<delivery>.<time ns>.<pending>`, or with
    `<domain>.<account>` before the stream and a random token at the end.
    """
    tokens = reply.split(b".")
    start = 5 if len(tokens) == _SHORT_FORM else 7
    try:
        published_at = datetime.fromtimestamp(int(tokens[start + 2]) / 1e9, UTC)
        return int(tokens[start]), int(tokens[start + 1]), published_at
    except (ValueError, IndexError):
        raise _DisorderError(f"{reply[:200]!r} does not say which message it is") from None
