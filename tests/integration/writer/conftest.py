"""An app, a stream and a lake for the writer's tests, and the writer as a process."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from eventmill.settings import Settings
from tests.writer_bench import Bench, environment


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    """An app `shop`, a stream and empty lake tables."""
    async with Bench.of(settings) as bench:
        yield bench


@pytest.fixture
def writer_process(settings: Settings) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `python -m ingest_service.writer`, with `changes` to its settings; whatever still runs is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **changes: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ingest_service.writer", *arguments]
        own = settings.model_copy(update=changes)
        with (settings.home / "writer.log").open("ab") as log:
            process = subprocess.Popen(command, env=environment(own), stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
