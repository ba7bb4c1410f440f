"""The writer's loop with hand-made neighbours: what it does when the lake refuses."""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry

from eventmill.control.rules_cache import RulesCache
from eventmill.envelopes.source import Envelope
from eventmill.errors import LakeError
from ingest_service.writer.attempts import AttemptFile
from ingest_service.writer.buffer import Batch, Buffer, FlushLimits
from ingest_service.writer.flush import Committed, Counts
from ingest_service.writer.instruments import Instruments
from ingest_service.writer.runs import RunDecoder
from ingest_service.writer.service import WriterService
from tests.lake_writer_bench import HISTORY_START, RECEIVED_AT, SHOP, lines


@dataclass
class Source:
    """Gives each of its envelopes once."""

    envelopes: list[Envelope]
    is_open: bool = True

    async def receive(self, wait_seconds: float) -> list[Envelope]:
        given, self.envelopes = self.envelopes[:1], self.envelopes[1:]
        await asyncio.sleep(0 if given else min(wait_seconds, 0.01))
        return given

    async def pending(self) -> int:
        return len(self.envelopes)

    async def deleted_through(self) -> int | None:
        return None

    async def oldest_waiting_at(self) -> datetime | None:
        return self.envelopes[0].published_at if self.envelopes else None

    async def close(self) -> None:
        self.is_open = False


@dataclass
class LakeDouble:
    """Takes batches after it has raised its errors."""

    errors: list[Exception] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def write(self, batch: Batch) -> Committed:
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(batch)
        return Committed(len(self.batches), batch.through, [], {}, Counts([]), 1, 0.01)


def service_of(source: Source, lake: LakeDouble, attempts: AttemptFile) -> WriterService:
    async def committed(_commit: Committed) -> None:
        """Nobody listens."""

    rules = RulesCache(lambda: {"shop": SHOP})
    return WriterService(
        source=source,  # type: ignore[arg-type]
        decoder=RunDecoder(rules, attempts, HISTORY_START),
        buffer=Buffer(0, FlushLimits(rows=3)),
        lake=lake,  # type: ignore[arg-type]
        instruments=Instruments(CollectorRegistry()),
        committed=committed,
    )


@pytest.fixture
def attempts(new_directory) -> AttemptFile:
    return AttemptFile(new_directory() / "attempts.json", "stream")


def envelopes(count: int) -> list[Envelope]:
    return [
        Envelope(sequence, "events.shop", {}, b"\n".join(lines(sequence)), RECEIVED_AT)
        for sequence in range(1, count + 1)
    ]


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never came to that")


async def test_a_full_disk_delays_batches_and_loses_none(attempts: AttemptFile) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lake = LakeDouble([full, full])
    service = service_of(Source(envelopes(4)), lake, attempts)
    running = asyncio.create_task(service.run())
    await until(lambda: service.problems() != [])
    assert service.problems() == ["The lake cannot be written: No space left on device"]
    await until(lambda: len(lake.batches) == 4)
    assert service.problems() == []
    service.stopping.set()
    await running
    assert [(batch.after, batch.through) for batch in lake.batches] == [(0, 1), (1, 2), (2, 3), (3, 4)]


async def test_lag_is_the_age_of_the_oldest_message_that_is_not_in_the_lake(attempts: AttemptFile) -> None:
    refuses = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lake = LakeDouble([refuses] * 3)
    service = service_of(Source(envelopes(4)), lake, attempts)
    await service._measure_lag()
    waiting = service.instruments.lag_seconds._value.get()
    running = asyncio.create_task(service.run())
    await until(lambda: service.problems() != [])
    await service._measure_lag()
    assert service.instruments.lag_messages._value.get() == 4
    assert service.instruments.lag_seconds._value.get() >= waiting > 0
    await until(lambda: len(lake.batches) == 4)
    await until(lambda: service._in_flight is None)
    await service._measure_lag()
    service.stopping.set()
    await running
    assert (service.instruments.lag_messages._value.get(), service.instruments.lag_seconds._value.get()) == (0, 0)


async def test_what_is_buffered_is_written_before_the_writer_stops(attempts: AttemptFile) -> None:
    lake = LakeDouble()
    source = Source(envelopes(1))
    service = service_of(source, lake, attempts)
    service.buffer = Buffer(0, FlushLimits())
    running = asyncio.create_task(service.run())
    await until(lambda: len(service.buffer) == 1)
    service.stopping.set()
    await running
    assert [batch.through for batch in lake.batches] == [1]
    assert not source.is_open


async def test_what_no_retry_can_put_right_ends_the_writer(attempts: AttemptFile) -> None:
    service = service_of(Source(envelopes(3)), LakeDouble([LakeError("the table was rolled back")]), attempts)
    with pytest.raises(LakeError, match="rolled back"):
        await service.run()
