"""A stream, a lake and apps for the writer's tests, and the writer itself as a process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nats.aio.client import Client

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.contracts.subjects import HEADER_MSG_ID
from eventmill.control.apps import create_app
from eventmill.lake import EVENTS, LakeTable, TableDefinition, create_tables, lake_directory, transaction_id
from eventmill.settings import Settings


def event(number: int, **fields: object) -> bytes:
    """An event's JSON with the id `e<number>`."""
    return json.dumps({"event_id": f"e{number}", "event_type": "click", "user_id": f"u{number % 7}", **fields}).encode()


@dataclass(frozen=True, slots=True)
class Bench:
    """Broker and lake of one test."""

    settings: Settings
    client: Client

    async def publish(self, lines: list[bytes], app_id: str = "shop", headers: dict[str, str] | None = None) -> int:
        """Publish one envelope and return its sequence."""
        answer = await stream.publish_envelope(
            self.client.jetstream(), app_id, encode_lines(lines), headers or {}, budget_seconds=10
        )
        return answer.seq

    async def publish_numbered(self, first: int, count: int, size: int = 10) -> int:
        """Publish `count` envelopes of `size` events each, numbered from `first` on; returns the last sequence."""
        sequence = 0
        for start in range(first, first + count * size, size):
            lines = [event(number) for number in range(start, start + size)]
            sequence = await self.publish(lines, headers={HEADER_MSG_ID: f"m{start}"})
        return sequence

    def table(self, definition: TableDefinition = EVENTS) -> LakeTable:
        """A table of the lake."""
        return LakeTable(lake_directory(self.settings), definition)

    def rows(self, definition: TableDefinition = EVENTS) -> pa.Table:
        """Every row of a table, as a reader of a snapshot sees it."""
        snapshot = self.table(definition).snapshot()
        files = snapshot.locate(snapshot.files["path"].to_pylist())
        empty = definition.file_columns.empty_table()
        return pa.concat_tables([empty, *(pq.read_table(file, partitioning=None) for file in files)])

    def event_ids(self) -> list[str]:
        """Ids of all stored events, ascending by number."""
        return sorted(self.rows()["event_id"].to_pylist(), key=lambda name: int(name[1:]))

    async def committed(self) -> int:
        """Last sequence in the lake."""
        identity = await stream.identify_stream(self.client.jetstream())
        return self.table().transaction_version(transaction_id(identity.created_at)) or 0

    async def wait_until_committed(self, sequence: int, seconds: float = 20) -> None:
        """Return once the lake holds the stream up to `sequence`."""
        deadline = time.monotonic() + seconds
        while await self.committed() < sequence:
            assert time.monotonic() < deadline, f"the lake ends at {await self.committed()}, not at {sequence}"
            await asyncio.sleep(0.05)


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    """An app `shop`, a stream and empty lake tables."""
    with psycopg.connect(settings.database_address) as connection:
        create_app(connection, "Shop", app_id="shop")
    create_tables(settings)
    client = await stream.connect(settings, "test")
    await stream.ensure_stream(client.jetstream(), settings)
    yield Bench(settings, client)
    await client.close()


def environment(settings: Settings) -> dict[str, str]:
    """Environment of a process that has these settings."""
    given = {name: value for name, value in settings.model_dump(mode="json").items() if value is not None}
    return os.environ | {f"EVENTMILL_{name.upper()}": str(value) for name, value in given.items()}


@pytest.fixture
def writer_process(settings: Settings) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `python -m ingest_service.writer`; whatever still runs in the end is killed."""
    started: list[subprocess.Popen[bytes]] = []
    log = Path(settings.home, "writer.log").open("ab")

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ingest_service.writer", *arguments]
        process = subprocess.Popen(command, env=environment(settings), stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    log.close()
