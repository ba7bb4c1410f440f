"""A DuckDB relation `events` with the columns of `actor_events` that funnels read, filled from histories."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import duckdb
import pyarrow as pa

from tests.funnel_reference import Event

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("actor", "session_key", "event_type", "event_name", "country", "properties")
        ),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("place", pa.int64()),
        ("is_bot", pa.bool_()),
    ]
)


@cache
def connected() -> duckdb.DuckDBPyConnection:
    """One connection for all examples: to open one takes longer than a small funnel."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set TimeZone = 'UTC'")
    return connection


def fill(connection: duckdb.DuckDBPyConnection, actors: Sequence[Sequence[Event]]) -> None:
    """Make `events` the histories of actors."""
    rows = [
        {
            "actor": f"u{number}",
            "session_key": f"s{number}",
            "event_type": event.kind,
            "event_name": event.kind,
            "country": event.country,
            "properties": "{}",
            "event_time": BEGIN + timedelta(seconds=event.at),
            "place": number * 1_000 + place,
            "is_bot": event.is_bot,
        }
        for number, history in enumerate(actors)
        for place, event in enumerate(history)
    ]
    connection.register("events", pa.Table.from_pylist(rows, schema=SCHEMA))
