"""Turns what the writer committed into dirty periods."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.stores import periods as period_store
from eventmill import lake, stream
from eventmill.control import reconciliation
from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, LakeTable, LogTruncatedError, TouchedHour
from eventmill.settings import Settings

HOUR = timedelta(hours=1)
# What a sensor that was away reads at once: a tick has a minute.
MAX_COMMITS = 50_000


def notice(
    settings: Settings,
    connection: psycopg.Connection,
    since_version: int,
    now: datetime,
    silent_until: datetime | None = None,
) -> int:
    """Mark what the commits after `since_version` touched, old periods too; returns the version noticed.

    Periods that have closed meanwhile, or whose definition has changed, become dirty as well. `silent_until` is what
    `silence_until` said before. Where log clean-up has passed `since_version`, a comparison of the whole lake is
    requested, which finds what the lost entries touched.
    """
    table = LakeTable(lake.lake_directory(settings), EVENTS)
    latest = table.version()
    try:
        version = min(latest, since_version + MAX_COMMITS)
        notes = list(table.commits(since_version, version))
    except LogTruncatedError:
        reconciliation.request(connection)
        version, notes = latest, []
    told = [note.complete_through for note in notes] + [silent_until if version == latest else None]
    if reconciliation.wanted_at(connection) is not None:
        told = []  # something is missing that no commit tells of: nothing is complete before the comparison
    with connection.transaction():
        zones = period_store.zones(connection, hold=True)
        period_store.alone(connection)
        mark(connection, (hour for note in notes for hour in note.touched), zones, version, now)
        period_store.mark_closing(connection, now)
        period_store.mark_redefined(connection, duckdb_sql.definition_version(), now)
        period_store.note_progress(connection, version, max(filter(None, told), default=None), now)
    return version


def mark(
    connection: psycopg.Connection,
    touched: Iterable[TouchedHour],
    zones: dict[str, ZoneInfo],
    version: int,
    now: datetime,
) -> None:
    """Make every period dirty that meets a touched hour. Apps that do not exist any more are passed over."""
    lacking: dict[Period, int] = defaultdict(int)
    for hour in touched:
        zone = zones.get(hour.app_id)
        if zone is None:
            continue
        for meeting in (calendar.hours_meeting, calendar.days_meeting):
            for period in meeting(hour.app_id, zone, hour.hour, hour.hour + HOUR):
                lacking[period] += hour.events
    period_store.mark_dirty(connection, "metric", list(lacking.items()), version, now)
    days = [(period, events) for period, events in lacking.items() if period.grain == "day"]
    period_store.mark_dirty(connection, "page_session", days, version, now)


async def silence_until(settings: Settings) -> datetime | None:
    """Instant up to which the lake holds every envelope although nothing arrives; None where that is not so.

    Without it `complete_through` would stand still while no app sends anything. Ask before `notice`: what was
    committed in between is then marked too.
    """
    asked_at = datetime.now(UTC)
    try:
        client = await stream.connect(settings, "eventmill-sensor", allow_reconnect=False)
    except NotReadyError:
        return None
    try:
        identity = await stream.identify_stream(client.jetstream(timeout=2))
    except NotReadyError:
        return None
    finally:
        await client.close()
    table = LakeTable(lake.lake_directory(settings), EVENTS)
    written = table.transaction_version(lake.transaction_id(identity.created_at)) or 0
    return asked_at if written >= identity.last_seq else None
