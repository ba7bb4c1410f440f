"""Which quarantined events were sent again, by whom and with which fields changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of one row. `outcome` is published, or known_to_broker where it had been published already."""

    app_id: str
    quarantine_id: str
    replayed_by: str
    changed: list[str]
    events: int
    message_id: str
    stream_seq: int
    outcome: str
    replayed_at: datetime | None = None


def record(connection: psycopg.Connection[Any], replays: Sequence[Replay]) -> None:
    """Note replays that the broker has stored. The caller commits."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into control.quarantine_replay (app_id, quarantine_id, replayed_at, replayed_by, changed, events,"
            " message_id, stream_seq, outcome) values (%s, %s, clock_timestamp(), %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(one.app_id, one.quarantine_id, one.replayed_by, one.changed),
                    *(one.events, one.message_id, one.stream_seq, one.outcome),
                )
                for one in replays
            ],
        )


def replays_of(connection: psycopg.Connection[Any], quarantine_ids: Sequence[str]) -> list[Replay]:
    """All replays of these rows, in order of time."""
    with connection.cursor(row_factory=class_row(Replay)) as cursor:
        return cursor.execute(
            "select app_id, quarantine_id, replayed_by, changed, events, message_id, stream_seq, outcome, replayed_at"
            " from control.quarantine_replay where quarantine_id = any(%s) order by replayed_at",
            [list(quarantine_ids)],
        ).fetchall()


def replayed_at(connection: psycopg.Connection[Any], quarantine_ids: Sequence[str]) -> dict[str, datetime]:
    """When each of these rows was replayed last; the others are left out."""
    rows = connection.execute(
        "select quarantine_id, max(replayed_at) from control.quarantine_replay"
        " where quarantine_id = any(%s) group by quarantine_id",
        [list(quarantine_ids)],
    ).fetchall()
    return dict(rows)


def published_since(connection: psycopg.Connection[Any], stream_seq: int) -> list[tuple[str, int]]:
    """App and place in the stream of every replay from that place on."""
    return connection.execute(
        "select app_id, stream_seq from control.quarantine_replay where stream_seq >= %s", [stream_seq]
    ).fetchall()
