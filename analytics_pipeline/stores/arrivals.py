"""The accounts of what arrived: `rollups.ingest_accounting`, its reasons and its gaps."""

from collections.abc import Collection, Sequence
from datetime import datetime

import psycopg
import pyarrow as pa
from psycopg import sql

from analytics_pipeline.lib.arrivals import COLUMNS, Arrivals, Gap, Hour, Key

_ADD_HOURS = sql.SQL(
    "insert into rollups.ingest_accounting as old (app_id, hour, {columns}, last_received_at, lake_version, told_until)"
    " values (%s, %s, {places}, %s, %s, %s) on conflict (app_id, hour) do update set {sums},"
    " last_received_at = greatest(old.last_received_at, excluded.last_received_at),"
    " told_until = greatest(old.told_until, excluded.told_until), lake_version = excluded.lake_version"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
    places=sql.SQL(", ").join([sql.Placeholder()] * len(COLUMNS)),
    sums=sql.SQL(", ").join(sql.SQL("{0} = old.{0} + excluded.{0}").format(sql.Identifier(name)) for name in COLUMNS),
)
_ADD_REASONS = (
    "insert into rollups.ingest_reason as old (app_id, hour, outcome, reason, events, lake_version)"
    " values (%s, %s, %s, %s, %s, %s) on conflict (app_id, hour, outcome, reason)"
    " do update set events = old.events + excluded.events, lake_version = excluded.lake_version"
)


def progress(connection: psycopg.Connection) -> tuple[int, datetime | None]:
    """Version of the lake up to which every note was added, and the instant up to which these told everything."""
    row = connection.execute(
        "select accounted_version, case when accounted_version = lake_version then complete_through end"
        " from rollups.lake_progress"
    ).fetchone()
    return (0, None) if row is None else (int(row[0]), row[1])


def add(connection: psycopg.Connection, arrivals: Arrivals, apps: Collection[str], through_version: int) -> None:
    """Add what the notes up to `through_version` say of `apps`; others do not exist any more. The caller commits.

    Call it in the transaction that holds `periods.alone`, after `note_progress`, with what came after `progress`.
    """
    for app_id, version in arrivals.deleted.items():
        for table in ("ingest_accounting", "ingest_reason"):
            statement = sql.SQL("delete from {} where app_id = %s and lake_version < %s")
            connection.execute(statement.format(sql.Identifier("rollups", table)), [app_id, version])
    hours = sorted((key, hour) for key, hour in arrivals.hours.items() if key[0] in apps)
    with connection.cursor() as cursor:
        cursor.executemany(_ADD_HOURS, [_row(key, hour) for key, hour in hours])
        cursor.executemany(_ADD_REASONS, [row for key, hour in hours for row in _reason_rows(key, hour)])
    for gap in arrivals.gaps:
        _widen(connection, gap)
    connection.execute("update rollups.lake_progress set accounted_version = %s", [through_version])


def _row(key: Key, hour: Hour) -> list[object]:
    return [*key, *(hour.counts[name] for name in COLUMNS), hour.last_received_at, hour.version, hour.told_until]


def _reason_rows(key: Key, hour: Hour) -> list[list[object]]:
    return [[*key, *reason, events, hour.version] for reason, events in sorted(hour.reasons.items())]


def _widen(connection: psycopg.Connection, gap: Gap) -> None:
    """Note the gap; one that it touches becomes longer, so that a row is a stretch of time and not a commit."""
    touching = connection.execute(
        "delete from rollups.ingest_gap where cause = %s and starts_at <= %s and ends_at >= %s"
        " returning starts_at, ends_at",
        [gap.cause, gap.ends_at, gap.starts_at],
    ).fetchall()
    connection.execute(
        "insert into rollups.ingest_gap (cause, starts_at, ends_at) values (%s, %s, %s)",
        [
            gap.cause,
            min([gap.starts_at, *(start for start, _ in touching)]),
            max([gap.ends_at, *(end for _, end in touching)]),
        ],
    )


def write_copies(
    connection: psycopg.Connection,
    copies: pa.Table,
    homes: Sequence[datetime],
    apps: Collection[str],
    version: int,
) -> None:
    """Make `rollups.later_duplicate` what lake version `version` holds of the home hours in `homes`.

    `copies` has a row per app, home hour and hour of arrival that has any. Rows read from a newer lake stay.
    """
    rows = sorted(
        (row["app_id"], row["home_hour"], row["received_hour"], row["events"])
        for row in copies.to_pylist()
        if row["app_id"] in apps
    )
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    connection.execute(
        "insert into rollups.later_duplicate as old (app_id, home_hour, received_hour, events, lake_version)"
        " select *, %s from unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])"
        " on conflict (app_id, home_hour, received_hour) do update"
        " set events = excluded.events, lake_version = excluded.lake_version"
        " where old.lake_version <= excluded.lake_version",
        [version, *columns],
    )
    connection.execute(
        "delete from rollups.later_duplicate as old where home_hour = any(%s) and lake_version < %s"
        # The copies of archived events are not in the lake any more.
        " and not exists (select from control.archive_part as part where part.app_id = old.app_id"
        "  and state <> 'restored' and event_date = (home_hour at time zone 'UTC')::date"
        "  and hours ? extract(hour from home_hour at time zone 'UTC')::integer::text)"
        " and not exists (select from unnest(%s::text[], %s::timestamptz[], %s::timestamptz[])"
        "  as new (app_id, home_hour, received_hour) where (new.app_id, new.home_hour, new.received_hour)"
        "  = (old.app_id, old.home_hour, old.received_hour))",
        [list(homes), version, *columns[:3]],
    )
