"""Rows to Arrow: one table per flush, column by column, then cut into the files it becomes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts.schema import QUARANTINE_SCHEMA
from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.lake import TableDefinition, TouchedHour

SHIFTED_PREFIX = "shifted"


@dataclass(frozen=True, slots=True)
class FilePart:
    """Rows of one data file (without partition columns), sorted; `prefix` starts the file's name."""

    partition_values: dict[str, str]
    prefix: str
    rows: pa.Table


def quarantine_table(envelopes: Sequence[DecodedEnvelope]) -> pa.Table:
    """All rejected events of the envelopes in QUARANTINE_SCHEMA."""
    rows = [
        {
            "app_id": section.context.app_id,
            "event_id": rejected.event_id,
            "reason": rejected.reason.value,
            "path": rejected.path,
            "message": f"{rejected.message} (rule: {rejected.reason.rule})",
            "raw": rejected.raw,
            "received_at": section.context.received_at,
            "history": section.context.history,
            "context": json.dumps(dict(section.context.defaults)),
            "stream_seq": envelope.sequence,
            "row_no": row,
            "received_date": section.context.received_at.date(),
        }
        for envelope in envelopes
        for row, rejected, section in zip(
            envelope.rejected_rows, envelope.rejected, envelope.rejected_sections, strict=True
        )
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)


def touched_hours(events: pa.Table) -> list[TouchedHour]:
    """Apps and UTC hours of `event_time` with the number of their events."""
    hours = pc.floor_temporal(events["event_time"], unit="hour")
    keys = pa.table({"app_id": events["app_id"], "hour": hours})
    counted = keys.group_by(["app_id", "hour"]).aggregate([([], "count_all")])
    return [TouchedHour(row["app_id"], row["hour"], row["count_all"]) for row in counted.to_pylist()]


def parts(rows: pa.Table, definition: TableDefinition) -> Iterator[FilePart]:
    """Cut a table into the rows of its data files: by partition, and shifted events by themselves."""
    if not rows.num_rows:
        return
    keys = [*definition.partition_columns]
    if "shifted" in rows.column_names:
        keys.append("shifted")
    order = [*keys, "app_id", "event_time" if "event_time" in rows.column_names else "received_at"]
    columns = definition.file_columns
    # A third of the columns are nearly always empty: to sort those by their rows takes as long as any other.
    empty = {name for name in columns.names if rows[name].null_count == rows.num_rows}
    filled = rows.drop_columns([name for name in rows.column_names if name in empty])
    ordered = filled.sort_by([(name, "ascending") for name in order])
    for start, length in _runs(ordered, keys):
        part = ordered.slice(start, length)
        first = {name: part[name][0].as_py() for name in keys}
        arrays = [pa.nulls(length, field.type) if field.name in empty else part[field.name] for field in columns]
        yield FilePart(
            {name: str(first[name]) for name in definition.partition_columns},
            SHIFTED_PREFIX if first.get("shifted") else "part",
            pa.table(arrays, schema=columns),
        )


def _runs(ordered: pa.Table, keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start and length of each stretch of rows that agree in all keys."""
    starts = {0}
    for name in keys:
        column = ordered[name].combine_chunks()
        changes = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
        starts.update(index + 1 for index in pc.indices_nonzero(changes).to_pylist())
    ascending = [*sorted(starts), ordered.num_rows]
    for start, end in pairwise(ascending):
        yield start, end - start
