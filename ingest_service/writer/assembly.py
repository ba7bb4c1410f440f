"""Puts the writer together from the settings, and takes it down again."""

import asyncio
import contextlib
import signal
from datetime import UTC, datetime, time, timedelta
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from eventmill.cancelling import cancel
from eventmill.control.rules_cache import RulesCache, load_rules
from eventmill.envelopes.source import OrderedSource
from eventmill.errors import NotReadyError
from eventmill.faults import Faults
from eventmill.lake import EVENTS, QUARANTINE, LakeTable, lake_directory, transaction_id
from eventmill.settings import Settings
from eventmill.stream import StreamClient, StreamIdentity, connect, identify_stream
from ingest_service.writer.attempts import AttemptFile
from ingest_service.writer.buffer import Buffer
from ingest_service.writer.cleanup import delete_unfinished_entries
from ingest_service.writer.compactor import Compactor
from ingest_service.writer.damage import damaged_files
from ingest_service.writer.flush import Committed, LakeWriter
from ingest_service.writer.head import TableHead
from ingest_service.writer.health import HealthServer
from ingest_service.writer.identity import UnknownStreamError, accept_stream, verify_identity
from ingest_service.writer.instruments import Instruments
from ingest_service.writer.notice import publish_notice
from ingest_service.writer.rejections import restore_rejections
from ingest_service.writer.repair import repair_files
from ingest_service.writer.replay import replay
from ingest_service.writer.runs import RunDecoder
from ingest_service.writer.service import WriterService
from ingest_service.writer.torn_log import repair_log
from ingest_service.writer.window import WindowLimits

log = structlog.get_logger(__name__)

# Stopping waits for the batch in flight this long; what is not written by then is read from the stream again.
STOP_SECONDS = 8.0
RECONNECT_SECONDS = 0.5


async def run(settings: Settings) -> None:
    """Run the writer until SIGTERM or SIGINT. Raises EventmillError where it cannot work."""
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    client = await _connect(settings, stopping)
    if client is None:
        return
    try:
        await _run(settings, client, stopping)
    finally:
        await client.close()


async def _connect(settings: Settings, stopping: asyncio.Event) -> StreamClient | None:
    """Wait for the broker as long as it takes; None where the writer is told to stop before."""
    trouble = ""
    while not stopping.is_set():
        try:
            return await connect(settings, "writer")
        except NotReadyError as error:
            if trouble != (trouble := error.message):
                log.warning("broker not ready", error=trouble)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT_SECONDS):
                await stopping.wait()
    return None


async def _run(settings: Settings, client: StreamClient, stopping: asyncio.Event) -> None:
    registry = CollectorRegistry()
    rules = RulesCache(lambda: load_rules(settings))
    compactor = Compactor(lake_directory(settings))
    service = assemble(settings, client, await identify_stream(client.jetstream()), rules, registry, compactor)
    service.stopping = stopping
    health = HealthServer(
        settings.bind, settings.writer_port, registry, lambda: [*service.problems(), *rules.problems()]
    )
    health.start()
    working = asyncio.create_task(work(client, rules, service))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([working], timeout=STOP_SECONDS if rules.is_answering else 0)
        if working.done():
            await working
        else:
            log.warning("stopped before the last batch was written: it is read from the stream again")
    finally:
        await cancel(working, stopped)
        await compactor.stop()
        health.stop()


async def work(client: StreamClient, rules: RulesCache, service: WriterService) -> None:
    """Mend what is damaged at the end of the lake, then write until the service is told to stop."""
    await rules.wait_until_loaded()
    again = partial(replay, client, service.decoder, service.source.verify)
    events, quarantine = service.lake.events, service.lake.quarantine
    for head, other in ((quarantine, events), (events, quarantine)):
        damaged = await asyncio.to_thread(damaged_files, head)
        if damaged:
            for repair in await repair_files(head, other, damaged, again):
                service.instruments.damaged_files.labels(repair.outcome).inc()
    await restore_rejections(service.lake, again)
    await service.run()


def assemble(
    settings: Settings,
    client: StreamClient,
    stream: StreamIdentity,
    rules: RulesCache,
    registry: CollectorRegistry,
    compactor: Compactor,
) -> WriterService:
    """A writer of this stream whose collaborators are those of the settings."""
    directory = lake_directory(settings)
    name = transaction_id(stream.created_at)
    events, quarantine = LakeTable(directory, EVENTS), LakeTable(directory, QUARANTINE)
    for table in (events, quarantine):
        delete_unfinished_entries(table.directory)
        repair_log(table)
    limits = WindowLimits(timedelta(seconds=settings.duplicate_window_seconds), settings.duplicate_window_ids)
    reach = Faults.from_settings(settings).reach
    lake = LakeWriter.open(events, quarantine, name, limits=limits, reach=reach)

    def verify(current: StreamIdentity) -> None:
        verify_identity(current, lake.events)
        if transaction_id(current.created_at) != name:
            raise UnknownStreamError("The event stream was replaced while the writer ran.", "Restart the writer.")

    async def committed(commit: Committed) -> None:
        log.debug("committed", version=commit.version, through=commit.through, events=commit.counts.received)
        await publish_notice(client, commit)
        await compactor.note_commit()

    attempts = AttemptFile(settings.state_dir / "writer-attempts.json", name)
    history_start = datetime.combine(settings.history_start, time(), UTC)
    return WriterService(
        source=OrderedSource(client, lake.sequence, verify),
        decoder=RunDecoder(rules, attempts, history_start),
        buffer=Buffer(lake.sequence),
        lake=lake,
        instruments=Instruments(registry),
        committed=committed,
    )


async def accept(settings: Settings) -> None:
    """Let the lake go on with the broker's stream, whatever stream it was written from before."""
    client = await connect(settings, "writer")
    try:
        stream = await identify_stream(client.jetstream())
    finally:
        await client.close()
    accept_stream(stream, TableHead(LakeTable(lake_directory(settings), EVENTS)))
    log.info("stream accepted", created_at=stream.created_at.isoformat())
