"""What comparisons of lake, rollups and marts have found, for people and for the next one."""

from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb


def last(connection: psycopg.Connection) -> tuple[int, datetime]:
    """Place in the stream up to which the lake was compared, and since when what was computed has not been."""
    row = connection.execute(
        "select max(through_seq), max(started_at) from rollups.reconciliation"
        " where exists (select from rollups.reconciliation where is_full)"
    ).fetchone()
    if row is None or row[0] is None:
        return 0, datetime.min.replace(tzinfo=UTC)
    return int(row[0]), row[1]


def record(
    connection: psycopg.Connection,
    *,
    is_full: bool,
    started_at: datetime,
    lake_version: int,
    through_seq: int,
    compared: int,
    wrong: Sequence[dict[str, str]],
    marts: Sequence[str],
) -> None:
    """Note a comparison. The caller commits."""
    connection.execute(
        "insert into rollups.reconciliation (is_full, started_at, finished_at, lake_version, through_seq, compared,"
        " wrong, marts) values (%s, %s, clock_timestamp(), %s, %s, %s, %s, %s)",
        [is_full, started_at, lake_version, through_seq, compared, Jsonb(list(wrong)), Jsonb(list(marts))],
    )
