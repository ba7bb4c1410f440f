"""A stream and a lake for the writer's tests, and the writer itself in this process."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from eventmill import stream
from eventmill.contracts.envelope import encode_lines
from eventmill.contracts.subjects import HEADER_MSG_ID
from eventmill.control.apps import create_app
from eventmill.control.rules_cache import RulesCache, load_rules
from eventmill.lake import EVENTS, LakeTable, TableDefinition, create_tables, lake_directory, transaction_id
from eventmill.settings import Settings
from ingest_service.writer.assembly import assemble, work
from ingest_service.writer.compactor import Compactor
from ingest_service.writer.service import WriterService


def event(number: int, **fields: object) -> bytes:
    """An event's JSON with the id `e<number>`."""
    return json.dumps({"event_id": f"e{number}", "event_type": "click", "user_id": f"u{number % 7}", **fields}).encode()


def read_whole(file: str) -> pa.Table:
    """A data file's rows, its page checksums verified."""
    return pq.read_table(file, partitioning=None, page_checksum_verification=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """Broker and lake of one test."""

    settings: Settings
    client: Client

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings) -> AsyncIterator["Bench"]:
        """An app `shop`, a stream and empty lake tables."""
        create_tables(settings)
        client = await stream.connect(settings, "test")
        await stream.ensure_stream(client.jetstream(), settings)
        bench = cls(settings, client)
        bench.create_app("shop")
        yield bench
        await client.close()

    def create_app(self, app_id: str) -> None:
        """Create an app that keeps its events for ever."""
        with psycopg.connect(self.settings.database_address) as connection:
            create_app(connection, app_id, app_id=app_id, retention_days=0)

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
        return pa.concat_tables([empty, *(read_whole(file) for file in files)])

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


def environment(settings: Settings) -> dict[str, str]:
    """Environment of a process that has these settings."""
    given = {name: value for name, value in settings.model_dump(mode="json").items() if value is not None}
    return os.environ | {f"EVENTMILL_{name.upper()}": str(value) for name, value in given.items()}


@asynccontextmanager
async def running(bench: Bench, **changes: Any) -> AsyncIterator[WriterService]:
    """A writer in this process, with `changes` to its attributes; it writes what it holds at the end."""
    client = await stream.connect(bench.settings, "writer")
    rules = RulesCache(lambda: load_rules(bench.settings))
    identity = await stream.identify_stream(client.jetstream())
    compactor = Compactor(lake_directory(bench.settings))
    service = assemble(bench.settings, client, identity, rules, CollectorRegistry(), compactor)
    for name, value in changes.items():
        setattr(service, name, value)
    working = asyncio.create_task(work(client, rules, service))
    try:
        yield service
    finally:
        service.stopping.set()
        await working
        await client.close()
