"""Sends a plan's lines: paced, in envelopes, until each is acknowledged; counts and notes exactly those."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from eventmill import __version__, stream
from eventmill.http.tls import local_context
from eventmill.outbox import Envelope, HttpRoute, NatsRoute, Outbox, Route, ignore_lost_connection
from eventmill.pacing import paced
from eventmill.settings import Settings
from eventmill.synthetic.flow import Line, Plan

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
    async for chunk, is_history in paced(plan, destination.retention_days, stop):
        envelope = Envelope([line.raw for line in chunk], history=is_history)
        under_way[envelope.message_id] = chunk
        yield envelope


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
        base_url=f"{settings.http_scheme}://{host}:{settings.ingest_port}",
        verify=local_context(settings) or True,
        headers={"authorization": f"Bearer {destination.write_key}", "user-agent": f"eventmill/{__version__}"},
        timeout=10,
    ) as http:
        yield HttpRoute(http, app_id)
