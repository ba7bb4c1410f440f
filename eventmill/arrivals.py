"""Today's arrivals of every app, for people who look at an installation."""

from contextlib import closing
from typing import Any

import psycopg
from psycopg.rows import dict_row

from eventmill import warehouse
from eventmill.errors import EventmillError
from eventmill.settings import Settings

_SECONDS = 2
# The hours of arrival that start in the running day of the app's time zone; copies found later count as duplicates too.
_TODAY = """
    select app.app_id,
        coalesce(sum(received), 0)::bigint as received, coalesce(sum(stored), 0)::bigint as stored,
        coalesce(sum(window_duplicate), 0)::bigint + coalesce((
            select sum(events) from rollups.later_duplicate as later
            where later.app_id = app.app_id and later.received_hour >= today.start), 0)::bigint as duplicates,
        coalesce(sum(quarantined), 0)::bigint as quarantined, coalesce(sum(filtered), 0)::bigint as filtered,
        last_event_at, silent_since
    from control.app
    cross join lateral (
        select date_trunc('day', now() at time zone time_zone) at time zone time_zone as start
    ) as today
    left join lateral (
        select last_received_at as last_event_at from rollups.ingest_accounting as hour
        where hour.app_id = app.app_id order by hour desc limit 1
    ) as last on true
    left join rollups.silence on silence.app_id = app.app_id and silent_since >= last_event_at
    left join rollups.ingest_accounting as hour on hour.app_id = app.app_id and hour.hour >= today.start
    where deleted_at is null
    group by app.app_id, today.start, last_event_at, silent_since
    order by app.app_id
"""


def today(settings: Settings) -> list[dict[str, Any]] | None:
    """Per app: received, stored, duplicates, quarantined, filtered of its running day, last_event_at, silent_since.

    None where Postgres does not answer within seconds, or has no such tables yet.
    """
    try:
        with closing(warehouse.connect(settings, autocommit=True, connect_timeout=_SECONDS)) as connection:
            connection.execute(f"set statement_timeout = {_SECONDS * 1000}")
            with connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(_TODAY).fetchall()
    except (EventmillError, psycopg.Error):
        # Whoever asks how an installation does must hear of the rest all the same.
        return None
