"""Group commit: requests of an app that come while an envelope of it is under way share the next one, and its fsync."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry

from eventmill import faults, telemetry
from eventmill.contracts import metrics
from eventmill.contracts.envelope import Section, encode_headers, encode_lines, section_bytes
from eventmill.errors import EventmillError
from eventmill.stream import PublishError
from ingest_service.gateway.group_queue import MAX_BODY_BYTES, Part, Queue
from ingest_service.gateway.intake import Envelope

# Publishing costs as much as two requests of one event do, so under load envelopes of an app keep this distance.
PACE_SECONDS = 0.003
# A line that cannot stand as it is travels in base64.
WRAPPED_GROWTH = 1.4


class Publisher(Protocol):
    """Where envelopes go."""

    async def publish(self, app_id: str, body: bytes, headers: dict[str, str], deadline: float, /) -> None:
        """Return once the message is durable; raise EventmillError where that is not known by `deadline`."""


class GroupCommit:
    """Puts the parts of concurrent requests into envelopes, one app's apart from another's.

    An envelope sets out at once where none of its app is under way; what comes meanwhile goes with the next one. After
    an envelope of several requests the next one sets out `pace_seconds` later at the earliest.
    """

    def __init__(
        self,
        publisher: Publisher,
        registry: CollectorRegistry,
        reach: faults.Reach = faults.ignore,
        pace_seconds: float = PACE_SECONDS,
    ) -> None:
        self._publisher, self._reach, self._pace_seconds = publisher, reach, pace_seconds
        self._queues: dict[str, Queue] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._requests = telemetry.histogram(metrics.GATEWAY_GROUP_REQUESTS, registry)
        self._events = telemetry.histogram(metrics.GATEWAY_GROUP_EVENTS, registry)

    async def commit(self, envelope: Envelope, deadline: float) -> None:
        """Return once the broker has the events on its disk.

        `deadline` is a monotonic instant. Raises NotReadyError, StreamFullError or PublishError: nothing of it was
        confirmed. Whoever stops waiting does not disturb the others of the same envelope.
        """
        parts = [self._enqueue(envelope, lines, deadline, n) for n, lines in enumerate(_chunks(envelope.lines))]
        # The parts hold the lines in their own form.
        envelope.lines = []
        loop = asyncio.get_running_loop()
        late = loop.call_at(loop.time() + deadline - time.monotonic(), _expire, parts)
        try:
            failures = [await part.settled for part in parts]
        finally:
            late.cancel()
        for failure in failures:
            if failure is not None:
                raise failure.with_traceback(None)

    def _enqueue(self, envelope: Envelope, lines: list[bytes], deadline: float, number: int) -> Part:
        """The part of a chunk of the envelope's lines; the first one carries the counts of what was left out."""
        section = Section(envelope.context, len(lines), {} if number else envelope.filtered)
        settled = asyncio.get_running_loop().create_future()
        part = Part(section, encode_lines(lines), section_bytes(section), deadline, settled)
        queue = self._queues.get(envelope.context.app_id)
        if queue is None:
            queue = self._queues[envelope.context.app_id] = Queue(envelope.context.app_id)
        queue.add(part)
        self._set_out(queue)
        return part

    def _set_out(self, queue: Queue) -> None:
        loop = asyncio.get_running_loop()
        if not queue.may_set_out():
            return
        if queue.paced_until > loop.time() and not queue.is_full():
            if not queue.is_timed:
                queue.is_timed = True
                loop.call_at(queue.paced_until, self._set_out_timed, queue)
            return
        queue.under_way += 1
        # It takes its parts when it runs: what arrived in the same turn of the loop comes along.
        flight = loop.create_task(self._fly(queue))
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    def _set_out_timed(self, queue: Queue) -> None:
        queue.is_timed, queue.paced_until = False, 0.0
        self._set_out(queue)

    async def _fly(self, queue: Queue) -> None:
        parts = queue.take()
        # A client that sends one after the other never waits; where several send at once, so will the next ones.
        queue.paced_until = asyncio.get_running_loop().time() + self._pace_seconds if len(parts) > 1 else 0.0
        failure: EventmillError | None = PublishError("The gateway failed to publish.", "Its log says why.")
        try:
            failure = await self._publish(queue.app_id, parts) if parts else None
        finally:
            queue.under_way -= 1
            for part in parts:
                if not part.settled.done():
                    part.settled.set_result(failure)
            self._set_out(queue)

    async def _publish(self, app_id: str, parts: Sequence[Part]) -> EventmillError | None:
        self._requests.observe(len(parts))
        self._events.observe(sum(part.section.events or 0 for part in parts))
        # Parts of filtered events alone have no line.
        body = b"\n".join(part.body for part in parts if part.body)
        headers = encode_headers([part.section for part in parts], str(uuid.uuid4()))
        self._reach("before_publish")
        try:
            await self._publisher.publish(app_id, body, headers, max(part.deadline for part in parts))
        except EventmillError as error:
            return error
        self._reach("after_publish")
        return None


def _expire(parts: Sequence[Part]) -> None:
    for part in parts:
        if not part.settled.done():
            part.settled.set_result(PublishError("The broker did not confirm the events in time.", "Send them again."))


def _chunks(lines: list[bytes]) -> list[list[bytes]]:
    """The lines in runs that fit into an envelope each: nearly always one."""
    chunks, size = [lines], sum(map(len, lines)) + len(lines)
    if size * WRAPPED_GROWTH <= MAX_BODY_BYTES:
        return chunks
    chunks, size = [[]], 0
    for line in lines:
        size += len(line) + 1
        if size * WRAPPED_GROWTH > MAX_BODY_BYTES and chunks[-1]:
            chunks.append([])
            size = len(line) + 1
        chunks[-1].append(line)
    return chunks
