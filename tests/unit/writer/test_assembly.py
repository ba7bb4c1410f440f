"""The writer's start: without a broker it waits, and it can be told to stop meanwhile."""

import asyncio
import os
import signal
from pathlib import Path

from eventmill.settings import Settings
from ingest_service.writer.assembly import run
from tests.workers import free_ports


async def test_without_a_broker_the_writer_waits_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    writer = asyncio.create_task(run(Settings(home=tmp_path, nats_url=f"nats://127.0.0.1:{port}")))
    # Longer than the first connection is tried.
    done, _ = await asyncio.wait([writer], timeout=1.0)
    assert not done
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await writer
