"""The parts of requests that wait for an envelope of their app, and which of them set out next."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from eventmill.contracts.envelope import Section
from eventmill.contracts.limits import MAX_HEADER_BYTES, MAX_REQUEST_EVENTS
from eventmill.errors import EventmillError
from eventmill.stream import MAX_MESSAGE_BYTES

# What the broker's limit leaves for the events; the broker adds a subject and a reply address to the headers.
MAX_BODY_BYTES = MAX_MESSAGE_BYTES - MAX_HEADER_BYTES - 4_096
# Envelopes that set out together, and the bytes of their bodies; the broker itself takes 1,000 in a batch.
MAX_ENVELOPES = 200
MAX_TOGETHER_BYTES = MAX_BODY_BYTES


@dataclass(slots=True, eq=False)
class Part:
    """What one request has for an app; `settled` holds None, or why the broker did not confirm."""

    section: Section
    body: bytes
    header_bytes: int
    deadline: float
    settled: asyncio.Future[EventmillError | None]


@dataclass(slots=True, eq=False)
class Queue:
    """The parts of one app that wait for an envelope."""

    parts: deque[Part] = field(default_factory=deque)
    events: int = 0
    body_bytes: int = 0
    header_bytes: int = 0

    def add(self, part: Part) -> None:
        """Have a part wait."""
        self.parts.append(part)
        self._weigh(part, 1)

    def _weigh(self, part: Part, sign: int) -> None:
        self.events += sign * (part.section.events or 0)
        self.body_bytes += sign * (len(part.body) + 1)
        self.header_bytes += sign * part.header_bytes

    def is_full(self) -> bool:
        """Whether more waits than one envelope can take."""
        return not _fits(self.events, self.body_bytes, self.header_bytes)

    def take(self) -> list[Part]:
        """The next envelope's parts; those whose request has given up are left out."""
        taken: list[Part] = []
        events = body_bytes = header_bytes = 0
        while self.parts:
            part = self.parts[0]
            if not part.settled.done():
                events += part.section.events or 0
                body_bytes += len(part.body) + 1
                header_bytes += part.header_bytes
                if taken and not _fits(events, body_bytes, header_bytes):
                    break
                taken.append(part)
            self.parts.popleft()
            self._weigh(part, -1)
        return taken


class Waiting:
    """The queues of all apps, the longest waiting first."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self._body_bytes = 0
        self._has_full_queue = False
        self.requests = 0

    def add(self, app_id: str, part: Part) -> None:
        """Have a part wait for an envelope of its app."""
        queue = self._queues.get(app_id)
        if queue is None:
            queue = self._queues[app_id] = Queue()
        queue.add(part)
        self.requests += 1
        self._body_bytes += len(part.body)
        self._has_full_queue = self._has_full_queue or queue.is_full()

    def is_full(self) -> bool:
        """Whether more waits than can set out at once."""
        return self._has_full_queue or self._body_bytes > MAX_TOGETHER_BYTES or len(self._queues) > MAX_ENVELOPES

    def take(self) -> dict[str, list[Part]]:
        """The parts of the envelopes that set out together, one an app; never more than the broker likes at once."""
        taken: dict[str, list[Part]] = {}
        body_bytes = 0
        for app_id in list(self._queues):
            if len(taken) >= MAX_ENVELOPES or (taken and body_bytes >= MAX_TOGETHER_BYTES):
                break
            queue = self._queues.pop(app_id)
            waited = len(queue.parts)
            held = queue.body_bytes - waited
            if parts := queue.take():
                taken[app_id] = parts
                body_bytes += sum(len(part.body) for part in parts)
            self.requests -= waited - len(queue.parts)
            self._body_bytes -= held - (queue.body_bytes - len(queue.parts))
            if queue.parts:
                # To the end: an app that sends much does not hold up the others.
                self._queues[app_id] = queue
        self._has_full_queue = any(queue.is_full() for queue in self._queues.values())
        return taken


def _fits(events: int, body_bytes: int, header_bytes: int) -> bool:
    return events <= MAX_REQUEST_EVENTS and body_bytes <= MAX_BODY_BYTES and header_bytes <= MAX_HEADER_BYTES
