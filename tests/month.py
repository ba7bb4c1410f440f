"""A seeded month of several apps: visits, sign-ups, purchases, bots, servers, and what goes wrong on the way."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.lake_of import Row, event

ZONES = {"shop": ZoneInfo("UTC"), "york": ZoneInfo("America/New_York"), "peak": ZoneInfo("Asia/Kathmandu")}
# New York's clocks go back on 1 November, a Sunday on which a month begins.
START, END = datetime(2026, 10, 14, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATE, DUPLICATE, MALFORMED, SKEWED = 0.03, 0.02, 0.01, 0.03
# Midnights in one of the zones, where sessions, days, weeks and months meet.
_BUSY = [
    datetime(2026, 10, 17, 21, tzinfo=UTC),
    datetime(2026, 11, 1, 4, tzinfo=UTC),
    datetime(2026, 11, 2, 3, tzinfo=UTC),
    datetime(2026, 11, 11, 21, tzinfo=UTC),
]


@dataclass
class Batch:
    """What arrives between two looks, in the order of the stream: envelopes, and events that were rejected."""

    until: datetime
    envelopes: list[list[Row]] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)


def batches(rng: random.Random, visits: int, count: int) -> list[Batch]:
    """`visits` visits to every app, in `count` batches."""
    rows = [row for app_id in ZONES for _ in range(visits) for row in _visit(rng, app_id)]
    numbered = [row | {"event_id": f"e{number}"} for number, row in enumerate(rows)]
    arriving = sorted(_arrivals(rng, numbered), key=lambda row: row["received_at"])
    cuts = sorted(rng.sample([row["received_at"] for row in arriving], count - 1))
    # Two looks within the same hour.
    cuts[-1] = min(cuts[-2] + 7 * MINUTE, END) if count > 2 else cuts[-1]
    found = [Batch(until) for until in [*sorted(cuts), END]]
    for row in arriving:
        batch = next(one for one in found if row["received_at"] <= one.until)
        if rng.random() < MALFORMED or not batch.rejected:
            batch.rejected.append(row)
        batch.envelopes.append([_derived(row)])
    for batch in found:
        stored = [row for envelope in batch.envelopes for row in envelope]
        rng.shuffle(stored)
        batch.envelopes = [stored[start : start + 250] for start in range(0, len(stored), 250)]
    return found


def _derived(row: Row) -> Row:
    fields = {name: value for name, value in row.items() if name not in {"event_id", "timestamp"}}
    return event(row["event_id"], row["timestamp"], **fields)


def _arrivals(rng: random.Random, rows: list[Row]) -> Iterator[Row]:
    """Each row with the instant at which it arrives, some late, some twice, some by a clock that is wrong."""
    for row in rows:
        soon = row["timestamp"] + timedelta(seconds=rng.uniform(0, 30))
        later = row["timestamp"] + rng.choice([2, 26, 50, 200]) * HOUR * rng.random() + HOUR
        arrived = min(later if rng.random() < LATE else soon, END)
        if rng.random() < SKEWED:
            wrong = timedelta(minutes=rng.uniform(-90, 90))
            yield row | {"timestamp": row["timestamp"] + wrong, "sent_at": arrived + wrong, "received_at": arrived}
            continue
        yield row | {"received_at": arrived}
        if rng.random() < DUPLICATE:
            yield row | {"received_at": min(arrived + rng.choice([MINUTE, 30 * HOUR, 9 * DAY]) * rng.random(), END)}


def _visit(rng: random.Random, app_id: str) -> Iterator[Row]:
    """A visitor's events: pages, perhaps a sign-up and a purchase."""
    at = rng.choice(_BUSY) + timedelta(seconds=rng.uniform(0, 3.5 * 3600))
    if rng.random() < 0.02:
        at = START + (END - START) * rng.random()
    person = rng.randrange(14)
    ids: Row = {"anonymous_id": f"a{person}"}
    if rng.random() < 0.3:
        ids["session_id"] = f"s{person}-{rng.randrange(3)}"
    if rng.random() < 0.08:
        ids = {"session_id": f"only{rng.randrange(4)}"}
    visit: Row = ids | {
        "app_id": app_id,
        "source": rng.choice(["web", "web", "mobile"]),
        "is_bot": rng.random() < 0.06,
        "os": rng.choice([None, "iOS", "Windows"]),
        "country": rng.choice([None, "NP", "US"]),
        "channel": rng.choice([None, "email", "direct"]),
        "utm_source": rng.choice([None, "news"]),
        "app_version": rng.choice([None, "1.0"]),
    }
    for step in range(rng.randrange(1, 6)):
        if at >= END:
            return
        yield visit | _step(rng, person, step) | {"timestamp": at}
        at += rng.choice([20 * timedelta(seconds=1), 4 * MINUTE, 29 * MINUTE, 30 * MINUTE, 45 * MINUTE, 13 * HOUR])


def _step(rng: random.Random, person: int, step: int) -> Row:
    chance = rng.random()
    if chance < 0.05:
        # The last two of an app's people share a device: these ids are ambiguous.
        user = f"u{person}" if person < 12 else f"u{rng.randrange(12, 14)}"
        return {"event_type": "signup", "user_id": user, "anonymous_id": f"a{min(person, 12)}"}
    if chance < 0.15:
        paid = {"revenue": rng.choice([1, 2.5, "9.99"]), "currency": rng.choice(["EUR", "USD"])}
        return {"event_type": "purchase", "properties": json.dumps(paid)}
    if chance < 0.22:
        return {"event_type": "invoice", "source": "server", "user_id": rng.choice([None, f"u{person}"])}
    if chance < 0.3:
        return {"event_type": "click", "properties": json.dumps({"interactive": rng.random() < 0.5})}
    return {"page_url": f"/{rng.choice('abcd')}", "referrer_host": "other.example" if step == 0 else None}
