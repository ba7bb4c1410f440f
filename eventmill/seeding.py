"""Sends a plan's lines: paced, in envelopes, until each is acknowledged; counts and notes exactly those."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from eventmill import __version__, stream
from eventmill.outbox import MAX_ENVELOPE_EVENTS, Envelope, HttpRoute, NatsRoute, Outbox, Route, ignore_lost_connection
from eventmill.settings import Settings
from eventmill.synthetic.flow import Line, Plan, lines

# A paced flow sends at least this often: fresh enough to watch, few enough to be cheap.
ENVELOPE_SECONDS = 0.25
# Events older than an app's retention go as history, a day before the limit too: they may wait for a broker.
HISTORY_MARGIN = timedelta(days=1)
PATIENCE_SECONDS = 120.0
STOP_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Through the gateway where there is a `write_key`, else straight to the broker."""

    write_key: str | None
    retention_days: int


@dataclass(slots=True)
class Report:
    """Acknowledged lines, by kind; `late` and `history` are counted among `events`."""

    app_id: str
    seed: int
    now: datetime
    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    late: int = 0
    history: int = 0
    envelopes: int = 0
    retries: int = 0
    seconds: float = 0.0

    def add(self, sent: list[Line], envelope: Envelope) -> int:
        """Count an acknowledged envelope; return how many events it added."""
        events = sum(line.kind == "event" for line in sent)
        self.events += events
        self.duplicates += sum(line.kind == "duplicate" for line in sent)
        self.malformed += sum(line.kind == "malformed" for line in sent)
        self.late += sum(line.is_late for line in sent)
        self.history += events if envelope.history else 0
        self.envelopes += 1
        return events

    def as_json(self) -> dict[str, Any]:
        """The report for `--json`."""
        counts = ("events", "duplicates", "malformed", "late", "history", "envelopes", "retries")
        return {
            "app_id": self.app_id,
            "seed": self.seed,
            "now": self.now.isoformat(),
            **{name: getattr(self, name) for name in counts},
            "seconds": round(self.seconds, 3),
        }


async def send(
    settings: Settings,
    plan: Plan,
    destination: Destination,
    *,
    ledger: Path | None = None,
    on_events: Callable[[int], None] = lambda _: None,
) -> Report:
    """Send all of the plan, or until SIGINT or SIGTERM; report what was acknowledged by then.

    `ledger` gets each acknowledged event id on a line of its own, on disk before it counts. `on_events` is told how
    many events each envelope added. Raises EventmillError where nothing is acknowledged for two minutes.
    """
    started = time.monotonic()
    report = Report(plan.app_id, plan.seed, plan.now)
    under_way: dict[str, list[Line]] = {}
    async with AsyncExitStack() as stack:
        file = stack.enter_context(ledger.open("ab")) if ledger is not None else None

        def acknowledged(envelope: Envelope, _: int) -> None:
            sent = under_way.pop(envelope.message_id)
            if file is not None:
                _note(file, sent)
            on_events(report.add(sent, envelope))

        route = await stack.enter_async_context(_route(settings, plan.app_id, destination))
        outbox = Outbox(route, acknowledged, patience_seconds=None if plan.count is None else PATIENCE_SECONDS)
        with _stopping(outbox) as stop:
            await outbox.deliver(_envelopes(plan, destination, under_way, stop))
    report.retries = outbox.retries
    report.seconds = time.monotonic() - started
    return report


def _note(file: BinaryIO, sent: list[Line]) -> None:
    file.write(b"".join(f"{line.event_id}\n".encode("ascii") for line in sent if line.kind == "event"))
    file.flush()
    os.fsync(file.fileno())


async def _envelopes(
    plan: Plan, destination: Destination, under_way: dict[str, list[Line]], stop: asyncio.Event
) -> AsyncIterator[Envelope]:
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    sent_events = 0
    for chunk, is_history in _chunks(plan, destination.retention_days):
        sent_events += sum(line.kind == "event" for line in chunk)
        due_in = 0.0 if plan.rate is None else started_at + sent_events / plan.rate - loop.time()
        if await _is_set_within(stop, due_in):
            return
        envelope = Envelope([line.raw for line in chunk], history=is_history)
        under_way[envelope.message_id] = chunk
        yield envelope


def _chunks(plan: Plan, retention_days: int) -> Iterator[tuple[list[Line], bool]]:
    """Lines of one envelope each, and whether they are history."""
    size = MAX_ENVELOPE_EVENTS if plan.rate is None else round(plan.rate * ENVELOPE_SECONDS)
    size = min(max(size, 1), MAX_ENVELOPE_EVENTS)
    limit = plan.now - timedelta(days=retention_days) + HISTORY_MARGIN if retention_days else None
    chunk: list[Line] = []
    was_history = False
    for line in lines(plan):
        is_history = was_history
        if line.happened_at is not None:
            is_history = limit is not None and line.happened_at < limit
        if chunk and (len(chunk) == size or is_history != was_history):
            yield chunk, was_history
            chunk = []
        chunk.append(line)
        was_history = is_history
    if chunk:
        yield chunk, was_history


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        # The moment's pause lets answers in even when nothing is to be waited for.
        await asyncio.wait_for(event.wait(), max(seconds, 0.000_1))
    except TimeoutError:
        return False
    return True


@contextmanager
def _stopping(outbox: Outbox) -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; what is under way then gets a few seconds more."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        outbox.limit_patience(STOP_SECONDS)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _route(settings: Settings, app_id: str, destination: Destination) -> AsyncIterator[Route]:
    if destination.write_key is None:
        client = await stream.connect(settings, "eventmill seed", error_cb=ignore_lost_connection)
        try:
            js = client.jetstream()
            await stream.identify_stream(js)
            yield NatsRoute(js, app_id)
        finally:
            await client.close()
        return
    host = "127.0.0.1" if settings.bind in {"0.0.0.0", "::"} else settings.bind  # noqa: S104 - compared, not bound
    async with httpx.AsyncClient(
        base_url=f"http://{host}:{settings.ingest_port}",
        headers={"authorization": f"Bearer {destination.write_key}", "user-agent": f"eventmill/{__version__}"},
        timeout=10,
    ) as http:
        yield HttpRoute(http, app_id)
