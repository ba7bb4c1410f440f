"""Batches and a lake without a broker: the writer's second half alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from eventmill.contracts.decode import AppRules
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.source import Envelope
from eventmill.lake import EVENTS, QUARANTINE, LakeTable, TableDefinition
from ingest_service.writer.buffer import Batch
from ingest_service.writer.compaction import list_files as files_of
from ingest_service.writer.compaction import read_rows
from ingest_service.writer.flush import LakeWriter

RECEIVED_AT = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
HISTORY_START = datetime(2025, 1, 1, tzinfo=UTC)
CURSOR = "2026-01-01T00:00:00+00:00/0"
SHOP = AppRules("shop", 0)


def lines(sequence: int, count: int = 3, **fields: Any) -> list[bytes]:
    """Events of an envelope, named after its sequence."""
    return [
        json.dumps({"event_id": f"{sequence}.{number}", "event_type": "click", "user_id": "u", **fields}).encode()
        for number in range(count)
    ]


def envelope(sequence: int, body: Sequence[bytes], rules: AppRules | None = SHOP) -> DecodedEnvelope:
    """A decoded envelope, received a second after the one before."""
    published_at = RECEIVED_AT + timedelta(seconds=sequence)
    return decode_envelope(Envelope(sequence, "events.shop", {}, b"\n".join(body), published_at), rules, HISTORY_START)


def batch(first: int, last: int, **fields: Any) -> Batch:
    """Consecutive envelopes of three events each."""
    return Batch(first - 1, last, [envelope(number, lines(number, **fields)) for number in range(first, last + 1)])


@dataclass(frozen=True, slots=True)
class Lake:
    """Empty tables in a directory."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> "Lake":
        """A new lake."""
        lake = cls(directory)
        for definition in (EVENTS, QUARANTINE):
            lake.table(definition).create()
        return lake

    def table(self, definition: TableDefinition = EVENTS) -> LakeTable:
        """A table of the lake."""
        return LakeTable(self.directory, definition)

    def writer(self) -> LakeWriter:
        """A writer that starts from what the lake says."""
        return LakeWriter.open(self.table(), self.table(QUARANTINE), CURSOR)

    def rows(self, definition: TableDefinition = EVENTS) -> pa.Table:
        """All rows, in the stream's order."""
        table = self.table(definition)
        files = files_of(table.snapshot(), definition.partition_columns)
        empty = definition.file_columns.empty_table()
        rows = read_rows(table, files, definition.file_columns) if files else empty
        return rows.sort_by([("stream_seq", "ascending"), ("row_no", "ascending")])

    def event_ids(self, definition: TableDefinition = EVENTS) -> list[str]:
        """Ids of all rows, in the stream's order."""
        ids: list[str] = self.rows(definition)["event_id"].to_pylist()
        return ids
