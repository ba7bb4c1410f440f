"""The parts of requests that wait for an envelope of their app, and which of them the next one takes."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from eventmill.contracts.envelope import Section
from eventmill.contracts.limits import MAX_HEADER_BYTES, MAX_REQUEST_EVENTS
from eventmill.errors import EventmillError
from eventmill.stream import MAX_MESSAGE_BYTES

# Envelopes of one app under way at once. A second one only where it is full or shared by so many requests: large
# requests do not queue up, and a broker that answers slowly is not waited for with the hands in the lap.
MAX_UNDER_WAY = 4
WORTHWHILE_REQUESTS = 16
# What the broker's limit leaves for the events; the broker adds a subject and a reply address to the headers.
MAX_BODY_BYTES = MAX_MESSAGE_BYTES - MAX_HEADER_BYTES - 4_096


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

    app_id: str
    parts: deque[Part] = field(default_factory=deque)
    under_way: int = 0
    # Loop time before which no envelope sets out unless it is full.
    paced_until: float = 0.0
    is_timed: bool = False
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

    def may_set_out(self) -> bool:
        """Whether an envelope beside those under way is worth its while."""
        if not self.parts or self.under_way >= MAX_UNDER_WAY:
            return False
        return not self.under_way or len(self.parts) >= WORTHWHILE_REQUESTS or self.is_full()

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


def _fits(events: int, body_bytes: int, header_bytes: int) -> bool:
    return events <= MAX_REQUEST_EVENTS and body_bytes <= MAX_BODY_BYTES and header_bytes <= MAX_HEADER_BYTES
