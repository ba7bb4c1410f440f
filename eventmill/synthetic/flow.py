"""The flow of synthetic lines: sessions interleaved in time, with late, repeated and malformed ones among them."""

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

import msgspec

from eventmill.synthetic import arrivals, malformed
from eventmill.synthetic.journeys import Fields, Session, SyntheticSource, next_step, session_length
from eventmill.synthetic.people import Population, choose

Kind = Literal["event", "duplicate", "malformed"]

# Without `days` the events lie in the last minute: near enough to now, long enough for sessions.
BURST = timedelta(minutes=1)
SESSION_TIMEOUT = timedelta(minutes=30)
MEDIAN_PAUSE_SECONDS = 12.0
# Copies follow within this many events, as retries of clients do.
RECENT_EVENTS = 300
LATEST = timedelta(hours=12)
SOONEST_LATE = timedelta(minutes=10)
MIXED_SOURCES: dict[SyntheticSource, int] = {"web": 62, "mobile": 32, "server": 6}


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the flow is not plain: `late` is a share of the events, the others come on top of them."""

    late: float = 0.01
    duplicates: float = 0.01
    malformed: float = 0.002


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate; the same plan gives the same lines, ids included.

    `count` valid events with ids of their own (None: without end); `source` None mixes all of them. With `rate` (events
    per second) they happen from `now` on, else they end at `now`, having begun `days` earlier (0: a minute).
    """

    app_id: str
    count: int | None
    now: datetime
    seed: int
    source: SyntheticSource | None = None
    days: float = 0
    rate: float | None = None
    shares: Shares = Shares()


@dataclass(frozen=True, slots=True)
class Line:
    """One envelope line. `event_id` and `happened_at` are those of the event; a malformed line has neither."""

    raw: bytes
    kind: Kind
    event_id: str | None = None
    happened_at: datetime | None = None
    is_late: bool = False


def lines(plan: Plan) -> Iterator[Line]:
    """The plan's lines in the order of sending."""
    rng = random.Random(f"{plan.app_id}/{plan.seed}/{plan.now.isoformat()}")  # noqa: S311 - test data, not secrets
    recent: deque[Line] = deque(maxlen=RECENT_EVENTS)
    sessions = _Sessions(rng, plan)
    for happened_at in _instants(rng, plan):
        line = _line(rng, sessions.event_at(happened_at), happened_at, plan)
        recent.append(line)
        yield line
        if rng.random() < plan.shares.duplicates:
            copied = rng.choice(recent)
            yield Line(copied.raw, "duplicate", copied.event_id, copied.happened_at)
        if rng.random() < plan.shares.malformed:
            yield Line(malformed.broken(rng, line.raw), "malformed")


def _instants(rng: random.Random, plan: Plan) -> Iterator[datetime]:
    if plan.rate is not None:
        return islice(arrivals.paced(plan.now, plan.rate), plan.count)
    if plan.count is None:
        message = "a flow without end needs a rate"
        raise ValueError(message)
    start = plan.now - (timedelta(days=plan.days) if plan.days else BURST)
    return arrivals.spread(rng, start, plan.now, plan.count)


def _line(rng: random.Random, event: Fields, happened_at: datetime, plan: Plan) -> Line:
    is_late = rng.random() < plan.shares.late
    if is_late:
        happened_at = _earlier(rng, happened_at)
    event_id = _uuid(rng)
    raw = msgspec.json.encode({"event_id": event_id, "timestamp": happened_at, **event})
    return Line(raw, "event", event_id, happened_at, is_late)


def _earlier(rng: random.Random, instant: datetime) -> datetime:
    """Up to twelve hours earlier on the same UTC day, so that a day's seed stays a day's."""
    midnight = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(instant - (SOONEST_LATE + (LATEST - SOONEST_LATE) * rng.random()), midnight)


def _uuid(rng: random.Random) -> str:
    """A random UUID (version 4) from `rng`, several times as fast as through `uuid.UUID`."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class _Sessions:
    """Sessions under way, ordered by when their next event is due."""

    def __init__(self, rng: random.Random, plan: Plan) -> None:
        self._rng = rng
        self._source = plan.source
        size = 5_000 if plan.count is None else max(20, plan.count // 8)
        self._people = Population(plan.seed, size)
        self._signed_up: set[int] = set()
        self._due: list[tuple[datetime, int, Session]] = []
        self._started = 0

    def event_at(self, instant: datetime) -> Fields:
        """An event at `instant`: of the session that is due, else of a new one."""
        session = self._due_session(instant) or self._new_session()
        event = next_step(self._rng, session)
        if session.steps_left > 0:
            pause = timedelta(seconds=self._rng.lognormvariate(0, 1.0) * MEDIAN_PAUSE_SECONDS)
            # The number breaks ties: sessions themselves have no order.
            heapq.heappush(self._due, (instant + pause, self._rng.getrandbits(32), session))
        return event

    def _due_session(self, instant: datetime) -> Session | None:
        while self._due and self._due[0][0] <= instant:
            due, _, session = heapq.heappop(self._due)
            # Somebody who waited this long has left.
            if instant - due < SESSION_TIMEOUT:
                return session
        return None

    def _new_session(self) -> Session:
        source = self._source if self._source is not None else choose(self._rng, MIXED_SOURCES)
        return Session(
            person=self._people.pick(self._rng),
            source=source,
            session_id=f"session-{self._rng.getrandbits(64):016x}",
            steps_left=session_length(self._rng, source),
            signed_up=self._signed_up,
        )
