"""The writer at work: receive, decode and buffer, while the batch before is written."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from eventmill.envelopes.runs import runs
from eventmill.envelopes.source import Envelope, OrderedSource
from eventmill.errors import NotReadyError
from ingest_service.writer.buffer import Batch, Buffer
from ingest_service.writer.flush import Committed, LakeWriter
from ingest_service.writer.instruments import Instruments
from ingest_service.writer.runs import RunDecoder

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.25
_MAX_BACKOFF_SECONDS = 5.0
_LAG_SECONDS = 2.0


@dataclass(slots=True)
class WriterService:
    """Moves envelopes from source to lake, one batch in flight and one being filled: memory stays bounded.

    `committed` is awaited after each commit. `clock` is monotonic, in seconds; the rules that `decoder` uses share it.
    """

    source: OrderedSource
    decoder: RunDecoder
    buffer: Buffer
    lake: LakeWriter
    instruments: Instruments
    committed: Callable[[Committed], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _writing: asyncio.Task[None] | None = None
    _failure: str | None = None
    _deleted_through: int | None = None
    # What was received and is in no buffer yet, and what is being written.
    _received: Sequence[Envelope] = ()
    _in_flight: Batch | None = None

    def problems(self) -> list[str]:
        """What keeps the writer from being ready; empty where nothing does."""
        found = [] if self.source.is_open else ["The stream's consumer is not open."]
        return [*found, self._failure] if self._failure else found

    async def run(self) -> None:
        """Work until `stopping` is set, then write what was decoded. Raises what no retry can put right."""
        lag = asyncio.create_task(self._watch_lag())
        try:
            while not self.stopping.is_set():
                await self._step()
            if len(self.buffer):
                await self._hand_over()
            await self._written()
        finally:
            lag.cancel()
            await asyncio.gather(lag, return_exceptions=True)
            await self.source.close()

    async def _step(self) -> None:
        wait_seconds = min(_POLL_SECONDS, self.buffer.seconds_left(self.clock()))
        if self._writing is not None and self._writing.done():
            await self._written()
        await self._skip_deleted()
        self._received = received = await self.source.receive(wait_seconds)
        # One instant for all: an app that none of them knows is looked for once.
        arrived_at = self.clock()
        done = 0
        for run in runs(received):
            # A run ends with its last part: a batch must not end before.
            for envelope in await self.decoder.decode_run(run, arrived_at):
                self.buffer.add(envelope, self.clock())
            done += len(run)
            if self.buffer.seconds_left(self.clock()) <= 0:
                self._received = received[done:]
                await self._hand_over()
        self._received = ()
        if self.buffer.seconds_left(self.clock()) <= 0:
            await self._hand_over()

    async def _hand_over(self) -> None:
        """Have the buffer written; waits for the batch before, which is the back pressure on the source."""
        await self._written()
        self._writing = asyncio.create_task(self._write(self.buffer.take()))

    async def _skip_deleted(self) -> None:
        """Move the cursor over messages deleted at the stream's end: nothing later would do so until one comes."""
        through, self._deleted_through = self._deleted_through, None
        # What the buffer holds was taken before or after that end was seen: only an empty one can be skipped.
        if through is not None and not len(self.buffer) and through > self.buffer.after:
            await self._written()
            self._writing = asyncio.create_task(self._write(self.buffer.skip(through)))

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def _write(self, batch: Batch) -> None:
        self._in_flight = batch
        backoff_seconds = 0.1
        while True:
            try:
                committed = await asyncio.to_thread(self.lake.write, batch)
                break
            except OSError as error:
                # A full disk, most of all: the batch is kept and the stream keeps the rest.
                self._failure = f"The lake cannot be written: {error.strerror or error}"
                self.instruments.failures.labels(type(error).__name__).inc()
                log.warning("batch was not written", reason=str(error), after=batch.after, retry_in=backoff_seconds)
            await asyncio.sleep(backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, _MAX_BACKOFF_SECONDS)
        self._failure = self._in_flight = None
        if committed is not None:
            self.instruments.note_commit(committed)
            await self.committed(committed)

    async def _watch_lag(self) -> None:
        while True:
            try:
                await self._measure_lag()
                self._deleted_through = await self.source.deleted_through()
            except NotReadyError as error:
                log.debug("lag is unknown", reason=error.message)
            await asyncio.sleep(_LAG_SECONDS)

    async def _measure_lag(self) -> None:
        in_flight = self._in_flight.messages if self._in_flight else 0
        oldest = self._oldest_taken_at()
        # Known without the broker, so it goes on growing while that is away.
        if oldest is not None:
            self.instruments.lag_seconds.set(_age(oldest))
        taken = in_flight + self.buffer.messages + len(self._received)
        pending = await self.source.pending()
        self.instruments.lag_messages.set(pending + taken)
        if oldest is None:
            waiting = await self.source.oldest_waiting_at() if pending else None
            self.instruments.lag_seconds.set(_age(waiting) if waiting else 0.0)

    def _oldest_taken_at(self) -> datetime | None:
        """Broker's time of the first message that was taken from the source and is not in the lake."""
        if self._in_flight is not None and self._in_flight.envelopes:
            return self._in_flight.envelopes[0].published_at
        if len(self.buffer):
            return self.buffer.oldest_published_at()
        return self._received[0].published_at if self._received else None


def _age(instant: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - instant).total_seconds())
