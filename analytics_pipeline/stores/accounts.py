"""Reads the accounts of arrivals for their checks, and keeps which apps are silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from analytics_pipeline.lib.silence import LEAST, WEEK, WEEKS, is_silent

MOST_NAMED = 50
# Above this part of an hour's events in quarantine, the validation SLO is broken.
SLO_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class BrokenSlo:
    """An app and hour of arrival with too many events in quarantine; `reasons` with their counts, largest first."""

    app_id: str
    hour: datetime
    received: int
    quarantined: int
    reasons: Sequence[tuple[str, int]]

    def __str__(self) -> str:
        """As a check names it."""
        reasons = ", ".join(f"{reason} {events:,}" for reason, events in self.reasons)
        share = 100 * self.quarantined / self.received
        return f"{self.app_id} {self.hour.isoformat()}: {share:.1f} % of {self.received:,} events ({reasons})"


def unbalanced(connection: psycopg.Connection, since: datetime) -> tuple[int, list[str]]:
    """How many hours of arrival since then are complete, and those of which an identity does not hold, by name."""
    rows = connection.execute(
        "select app_id, hour, received, stored, window_duplicate, quarantined, filtered, counted, later_duplicate,"
        " is_balanced from marts.ingest_accounting where is_complete and hour >= %s order by hour desc",
        [since],
    ).fetchall()
    wrong = [
        f"{app_id} {hour.isoformat()}: received {received} = stored {stored} + window_duplicate {window} +"
        f" quarantined {bad} + filtered {filtered}; stored {stored} = counted {counted} + later_duplicate {later}"
        for app_id, hour, received, stored, window, bad, filtered, counted, later, is_balanced in rows
        if not is_balanced
    ]
    return len(rows), wrong[:MOST_NAMED]


def unequal_to_metric(connection: psycopg.Connection, definition_version: str, since: datetime) -> list[str]:
    """Hours computed since then by this definition whose arrivals do not add up to the events that they count."""
    rows = connection.execute(
        "select p.app_id, p.period_start, coalesce(m.events, 0), coalesce(arrived.events, 0) from rollups.periods as p"
        " left join rollups.metric as m on m.app_id = p.app_id and m.grain = p.grain"
        "  and m.period_start = p.period_start and m.dimension = 'total' and m.traffic = 'all'"
        " cross join lateral (select sum(events)::bigint as events from rollups.counted_arrival as c"
        "  where c.app_id = p.app_id and c.period_start = p.period_start) as arrived"
        " where p.table_name = 'metric' and p.grain = 'hour' and p.definition_version = %s and p.computed_at > %s"
        "  and coalesce(m.events, 0) <> coalesce(arrived.events, 0) order by 2 desc limit %s",
        [definition_version, since, MOST_NAMED],
    ).fetchall()
    return [
        f"{app_id} {start.isoformat()}: metric {events}, arrivals {arrived}" for app_id, start, events, arrived in rows
    ]


def broken_slos(connection: psycopg.Connection, since: datetime) -> list[BrokenSlo]:
    """Hours of arrival since then with more than 1 % in quarantine, the latest first."""
    rows = connection.execute(
        "select app_id, hour, received, quarantined,"
        " (select array_agg(array[reason, events::text] order by events desc)"
        "  from rollups.ingest_reason as r where r.app_id = a.app_id and r.hour = a.hour and outcome = 'quarantined')"
        " from rollups.ingest_accounting as a where hour >= %s and quarantined > received * %s::numeric"
        " order by hour desc, app_id limit %s",
        [since, SLO_FRACTION, MOST_NAMED],
    ).fetchall()
    return [
        BrokenSlo(
            app_id, hour, received, quarantined, [(reason, int(events)) for reason, events in (reasons or [])[:3]]
        )
        for app_id, hour, received, quarantined, reasons in rows
    ]


def update_silence(connection: psycopg.Connection) -> dict[str, datetime]:
    """Note which apps are silent, and return them with the arrival of their last event.

    As of the instant up to which the lake is complete: what has not been written yet is no silence. The caller commits.
    """
    row = connection.execute("select complete_through from rollups.lake_progress").fetchone()
    if row is None or row[0] is None:
        return {}
    silent = {
        app_id: last
        for app_id, last in _last_events(connection)
        if row[0] - last >= LEAST and is_silent(_received(connection, app_id, last), last, row[0])
    }
    connection.execute("delete from rollups.silence where not app_id = any(%s)", [list(silent)])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollups.silence as old (app_id, silent_since) values (%s, %s) on conflict (app_id)"
            " do update set silent_since = excluded.silent_since where old.silent_since <> excluded.silent_since",
            sorted(silent.items()),
        )
    return silent


def _last_events(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select app_id, last_received_at from control.app cross join lateral (select last_received_at"
        "  from rollups.ingest_accounting as a where a.app_id = app.app_id order by hour desc limit 1) as arrived"
        " where deleted_at is null"
    ).fetchall()


def _received(connection: psycopg.Connection, app_id: str, last: datetime) -> dict[datetime, int]:
    rows = connection.execute(
        "select hour, received from rollups.ingest_accounting where app_id = %s and hour >= %s",
        [app_id, last - WEEKS * WEEK - timedelta(hours=1)],
    ).fetchall()
    return dict(rows)
