"""A lake made by hand: events as dictionaries, appended commit by commit as the writer does."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from eventmill.contracts.derive import hour_of, times
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit
from eventmill.lake import DAY_TABLES, EVENTS, LakeTable, TouchedHour, encode_note

Row = dict[str, Any]
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
ZONES = {"shop": ZoneInfo("UTC"), "peak": ZoneInfo("Asia/Kathmandu"), "east": ZoneInfo("Pacific/Kiritimati")}
_DEFAULTS: Row = {"event_type": "page_view", "source": "web", "is_bot": False, "schema_version": "1.0.0"}


def event(event_id: str, timestamp: datetime, **fields: Any) -> Row:
    """A row of the lake with all derived columns; `sent_at` and `received_at` correct the clock as usual."""
    received_at = fields.pop("received_at", timestamp)
    derived = times(timestamp, fields.get("sent_at"), received_at)
    row: Row = _DEFAULTS | {"app_id": "shop", "properties": "{}"} | fields
    row |= {
        "event_id": event_id,
        "event_name": row.get("event_name") or row["event_type"],
        "timestamp": timestamp,
        "received_at": received_at,
        "event_time": derived.event_time,
        "event_date": derived.home.date(),
        "event_hour": derived.home.hour,
        "shifted": derived.shifted,
    }
    return row


@dataclass
class HandMadeLake:
    """Appends commits and remembers every stored row in the order of the stream."""

    directory: Path
    rows: list[Row] = field(default_factory=list)
    version: int = 0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.table = LakeTable(self.directory, EVENTS)
        self.table.create()
        for definition in DAY_TABLES:
            LakeTable(self.directory, definition).create()

    def append(self, events: Iterable[Row], rejected: Sequence[Row] = ()) -> int:
        """Commit one envelope of events and return the new version; of what was `rejected` only the accounts tell."""
        seq = (self.rows[-1]["stream_seq"] + 1) if self.rows else 1
        return self.store([row | {"stream_seq": seq, "row_no": number} for number, row in enumerate(events)], rejected)

    def store(self, stored: Sequence[Row], rejected: Sequence[Row] = ()) -> int:
        """Commit rows that have their place in the stream, of as many envelopes as they say."""
        self.rows += stored
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in stored:
            groups[row["event_date"], row["event_hour"], row["shifted"]].append(row)
        files = [
            write_data_file(
                self.table.directory,
                pa.Table.from_pylist(group, schema=EVENTS.file_columns),
                {"event_date": str(date), "event_hour": str(hour)},
                EVENTS.statistics,
                prefix="shifted" if shifted else "part",
            )
            for (date, hour, shifted), group in groups.items()
        ]
        places = {row["stream_seq"] for row in stored}
        told = {"accounting": accounting(stored, rejected), "envelopes": len(places), "through": max(places)}
        note = encode_note(_touched(stored), self.clock()) | told
        self.version = self.table.append(Commit(adds=files, metadata=note), self.version)
        return self.version


def _touched(rows: Sequence[Row]) -> list[TouchedHour]:
    counts: dict[tuple[str, datetime], int] = defaultdict(int)
    for row in rows:
        counts[row["app_id"], hour_of(row["event_time"])] += 1
    return [TouchedHour(app_id, hour, events) for (app_id, hour), events in counts.items()]


def accounting(stored: Sequence[Row], rejected: Sequence[Row] = ()) -> list[Row]:
    """What the writer's note says of rows that were all stored, and of those that were all rejected."""
    hours: dict[tuple[str, datetime], list[tuple[datetime, bool]]] = defaultdict(list)
    for rows, is_stored in ((stored, True), (rejected, False)):
        for row in rows:
            hours[row["app_id"], hour_of(row["received_at"])].append((row["received_at"], is_stored))
    return [
        {
            "app_id": app_id,
            "hour": hour.isoformat(),
            "received": len(arrived),
            "stored": sum(is_stored for _, is_stored in arrived),
            "window_duplicate": 0,
            "quarantined": {"invalid_json": bad} if (bad := sum(not is_stored for _, is_stored in arrived)) else {},
            "filtered": {},
            "flagged": 0,
            "last_received_at": max(at for at, _ in arrived).isoformat(),
        }
        for (app_id, hour), arrived in hours.items()
    ]


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def some_events(rng: random.Random, count: int, since: datetime, until: datetime) -> list[Row]:
    """Events of all apps with copies, bots, missing ids and pages, wrong clocks, odd texts."""
    spread = (until - since).total_seconds()
    events = []
    for _ in range(count):
        at = since + timedelta(seconds=rng.random() * spread)
        fields: Row = {
            "app_id": rng.choice(list(ZONES)),
            "event_type": rng.choice(["page_view", "click", "screen_view", "naïve \u0394"]),
            "source": rng.choice(["web", "mobile", "server"]),
            "page_url": rng.choice([None, "/a", "/b", "/" + "x" * 600]),
            "user_id": rng.choice([None, f"u{rng.randrange(5)}"]),
            "anonymous_id": f"a{rng.randrange(9)}",
            "session_id": rng.choice([None, f"s{rng.randrange(7)}"]),
            "is_bot": rng.random() < 0.1,
        }
        if rng.random() < 0.15:  # a clock that is wrong by up to 90 minutes
            fields["received_at"] = at
            wrong = timedelta(seconds=rng.uniform(-5400, 5400))
            fields["sent_at"] = at + wrong
            at += wrong
        events.append(event(f"e{rng.randrange(count)}", at, **fields))
    return events
