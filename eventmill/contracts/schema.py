"""Arrow schemas of the lake's tables, in column order."""

from collections.abc import Sequence

import pyarrow as pa

from eventmill.contracts.event import StoredEvent

INSTANT = pa.timestamp("us", tz="UTC")
_DICTIONARY_FREE = pa.string()

_TYPES: dict[str, pa.DataType] = {
    "event_time": INSTANT,
    "timestamp": INSTANT,
    "sent_at": INSTANT,
    "received_at": INSTANT,
    "duration_ms": pa.int64(),
    "is_bot": pa.bool_(),
    "shifted": pa.bool_(),
    "event_date": pa.date32(),
    "event_hour": pa.int32(),
}
_REQUIRED = frozenset(
    {"app_id", "event_id", "event_type", "event_name", "event_time", "received_at", "source", "is_bot"}
    | {"schema_version", "properties", "shifted", "event_date", "event_hour"}
)

PARTITION_COLUMNS = ["event_date", "event_hour"]

EVENTS_SCHEMA = pa.schema(
    [
        pa.field(name, _TYPES.get(name, _DICTIONARY_FREE), nullable=name not in _REQUIRED)
        for name in StoredEvent.__struct_fields__
    ]
    # Where the event lies in the stream: the order that decides which copy of a duplicate counts.
    + [pa.field("stream_seq", pa.int64(), nullable=False), pa.field("row_no", pa.int32(), nullable=False)]
)
# Statistics of these columns alone go to the table's log: enough to skip files, and no id ever lies in the log.
EVENTS_STATISTICS = ("app_id", "event_time", "received_at", "stream_seq")

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("app_id", pa.string(), nullable=False),
        pa.field("event_id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
        pa.field("received_at", INSTANT, nullable=False),
        pa.field("history", pa.bool_(), nullable=False),
        pa.field("context", pa.string(), nullable=False),  # the envelope's defaults, JSON: a replay needs them
        pa.field("stream_seq", pa.int64(), nullable=False),
        pa.field("row_no", pa.int32(), nullable=False),
        pa.field("received_date", pa.date32(), nullable=False),
    ]
)
QUARANTINE_PARTITION_COLUMNS = ["received_date"]
QUARANTINE_STATISTICS = ("app_id", "received_at", "stream_seq")

# Which anonymous ids were seen with which users: a row a pair, with the envelope that held it first.
IDENTITY_MAP_SCHEMA = pa.schema(
    [
        pa.field("app_id", pa.string(), nullable=False),
        pa.field("anonymous_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("stream_seq", pa.int64(), nullable=False),
    ]
)
IDENTITY_MAP_STATISTICS = ("app_id", "stream_seq")


def columns_without(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """The columns that a data file holds: partition values live in the path."""
    return pa.schema([column for column in schema if column.name not in names])
