"""Group commit: requests that come while envelopes are under way share the next ones, and one sync of the disk."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry

from eventmill import faults, telemetry
from eventmill.contracts import metrics
from eventmill.contracts.envelope import Section, encode_headers, encode_lines, section_bytes
from eventmill.errors import EventmillError
from eventmill.stream import PublishError
from ingest_service.gateway.group_queue import MAX_BODY_BYTES, Part, Waiting
from ingest_service.gateway.intake import Envelope

# Publishing costs as much as two requests of one event do, so under load departures keep this distance.
PACE_SECONDS = 0.003
# Departures under way at once. A second one only where it is full or shared by so many requests: large requests do not
# queue up, and a broker that answers slowly is not waited for with the hands in the lap.
MAX_UNDER_WAY = 4
WORTHWHILE_REQUESTS = 16
# How often it is looked for requests whose time is over: one timer for all costs less than one each.
SWEEP_SECONDS = 0.05
# A line that cannot stand as it is travels in base64.
WRAPPED_GROWTH = 1.4


class Message(NamedTuple):
    """An envelope as it is published; `deadline` is a monotonic instant."""

    app_id: str
    body: bytes
    headers: dict[str, str]
    deadline: float


class Publisher(Protocol):
    """Where envelopes go."""

    async def publish(self, message: Message, /) -> None:
        """Return once the message is durable; raise EventmillError where that is not known by its deadline."""

    async def publish_together(self, messages: Sequence[Message], /) -> list[EventmillError | None]:
        """For each message None once it is durable, or why that is not known by its deadline."""


class GroupCommit:
    """Puts the parts of concurrent requests into envelopes, one app's apart from another's.

    They depart at once where nothing is under way; what comes meanwhile, of all apps, departs together afterwards.
    After a departure of several requests the next one leaves `pace_seconds` later at the earliest.
    """

    def __init__(
        self,
        publisher: Publisher,
        registry: CollectorRegistry,
        reach: faults.Reach = faults.ignore,
        pace_seconds: float = PACE_SECONDS,
    ) -> None:
        self._publisher, self._reach, self._pace_seconds = publisher, reach, pace_seconds
        self._waiting = Waiting()
        self._under_way = 0
        # Loop time before which nothing departs unless it is full.
        self._paced_until = 0.0
        self._is_timed = False
        self._flights: set[asyncio.Task[None]] = set()
        # Deadlines of the parts that are not settled yet.
        self._open: list[tuple[float, asyncio.Future[EventmillError | None]]] = []
        self._requests = telemetry.histogram(metrics.GATEWAY_GROUP_REQUESTS, registry)
        self._events = telemetry.histogram(metrics.GATEWAY_GROUP_EVENTS, registry)

    async def commit(self, envelope: Envelope, deadline: float) -> None:
        """Return once the broker has the events on its disk.

        `deadline` is a monotonic instant. Raises NotReadyError, StreamFullError or PublishError: nothing of it was
        confirmed. Whoever stops waiting does not disturb the others of the same envelope.
        """
        settled = [self._enqueue(envelope, lines, deadline, n) for n, lines in enumerate(_chunks(envelope.lines))]
        # The parts hold the lines in their own form.
        envelope.lines = []
        failures = [await one for one in settled]
        for failure in failures:
            if failure is not None:
                raise failure.with_traceback(None)

    def _enqueue(
        self, envelope: Envelope, lines: list[bytes], deadline: float, number: int
    ) -> asyncio.Future[EventmillError | None]:
        """Have a chunk of the envelope's lines wait; the first one carries the counts of what was left out."""
        section = Section(envelope.context, len(lines), {} if number else envelope.filtered)
        loop = asyncio.get_running_loop()
        settled = loop.create_future()
        part = Part(section, encode_lines(lines), section_bytes(section), deadline, settled)
        if not self._open:
            loop.call_later(SWEEP_SECONDS, self._sweep)
        self._open.append((deadline, settled))
        self._waiting.add(envelope.context.app_id, part)
        self._depart()
        return settled

    def _sweep(self) -> None:
        """Refuse the requests whose time is over."""
        now = time.monotonic()
        self._open = [one for one in self._open if not one[1].done()]
        for deadline, settled in self._open:
            if deadline <= now:
                message = "The broker did not confirm the events in time."
                settled.set_result(PublishError(message, "Send them again."))
        if self._open:
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _depart(self) -> None:
        if not self._may_depart():
            return
        loop = asyncio.get_running_loop()
        if self._paced_until > loop.time() and not self._waiting.is_full():
            if not self._is_timed:
                self._is_timed = True
                loop.call_at(self._paced_until, self._depart_timed)
            return
        self._under_way += 1
        # It takes its parts when it runs: what arrived in the same turn of the loop comes along.
        flight = loop.create_task(self._fly())
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    def _may_depart(self) -> bool:
        """Whether a departure beside those under way is worth its while."""
        requests = self._waiting.requests
        if not requests or self._under_way >= MAX_UNDER_WAY:
            return False
        return not self._under_way or requests >= WORTHWHILE_REQUESTS or self._waiting.is_full()

    def _depart_timed(self) -> None:
        self._is_timed, self._paced_until = False, 0.0
        self._depart()

    async def _fly(self) -> None:
        groups = self._waiting.take()
        # A client that sends one after the other never waits; where several send at once, so will the next ones.
        is_shared = sum(map(len, groups.values())) > 1
        self._paced_until = asyncio.get_running_loop().time() + self._pace_seconds if is_shared else 0.0
        failures: Sequence[EventmillError | None] = [
            PublishError("The gateway failed to publish.", "Its log says why.") for _ in groups
        ]
        try:
            failures = await self._publish(groups) if groups else []
        finally:
            self._under_way -= 1
            for parts, failure in zip(groups.values(), failures, strict=True):
                for part in parts:
                    if not part.settled.done():
                        part.settled.set_result(failure)
            self._depart()

    async def _publish(self, groups: Mapping[str, Sequence[Part]]) -> Sequence[EventmillError | None]:
        messages = [self._message(app_id, parts) for app_id, parts in groups.items()]
        self._reach("before_publish")
        if len(messages) == 1:
            try:
                await self._publisher.publish(messages[0])
            except EventmillError as error:
                # Its traceback would hold these frames, and with them the events, until cycles are collected.
                return [error.with_traceback(None)]
            failures: Sequence[EventmillError | None] = [None]
        else:
            failures = await self._publisher.publish_together(messages)
        self._reach("after_publish")
        return failures

    def _message(self, app_id: str, parts: Sequence[Part]) -> Message:
        self._requests.observe(len(parts))
        self._events.observe(sum(part.section.events or 0 for part in parts))
        # Parts of filtered events alone have no line.
        body = b"\n".join([part.body for part in parts if part.body])
        headers = encode_headers([part.section for part in parts], str(uuid.uuid4()))
        return Message(app_id, body, headers, max(part.deadline for part in parts))


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
