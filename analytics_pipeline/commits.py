"""Turns what the writer committed into dirty periods."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.arrivals import Arrivals, add_up
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.stores import arrivals as arrival_store
from analytics_pipeline.stores import periods as period_store
from eventmill import lake, stream
from eventmill.control import reconciliation
from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, CommitNote, LakeTable, LogTruncatedError, TouchedHour
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
    requested, which finds what the lost entries touched. What the commits say of arrivals is added in the transaction
    that moves the progress.
    """
    table = LakeTable(lake.lake_directory(settings), EVENTS)
    latest = table.version()
    version = min(latest, since_version + MAX_COMMITS)
    known = _notes(table, since_version, version)
    if known is None:
        reconciliation.request(connection)
        version = latest
    notes = known or []
    told = [note.complete_through for note in notes] + [silent_until if version == latest else None]
    if reconciliation.wanted_at(connection) is not None:
        told = []  # something is missing that no commit tells of: nothing is complete before the comparison
    with connection.transaction():
        zones = period_store.zones(connection, hold=True)
        period_store.alone(connection)
        mark(connection, (hour for note in notes for hour in note.touched), zones, version, now)
        period_store.mark_closing(connection, now)
        period_store.mark_redefined(connection, duckdb_sql.definition_version(), now)
        accounted, arrived = _account(connection, table, since_version, version, known, now)
        period_store.note_progress(connection, version, max(filter(None, told), default=None), now)
        arrival_store.add(connection, arrived, zones, accounted)
    return version


def _notes(table: LakeTable, after: int, through: int) -> list[CommitNote] | None:
    """Notes of the commits in `(after, through]`; None where log clean-up has removed one of them."""
    try:
        return list(table.commits(after, through))
    except LogTruncatedError:
        return None


def _account(
    connection: psycopg.Connection,
    table: LakeTable,
    since_version: int,
    through: int,
    known: list[CommitNote] | None,
    now: datetime,
) -> tuple[int, Arrivals]:
    """What arrived by the commits that were not accounted for yet, and the version up to which that goes.

    Each commit is added once: the accounts have a cursor of their own, in the same row as the progress. Where it is
    the sensor's, the notes in `known`, those of `(since_version, through]`, will do.
    """
    after, told_until = arrival_store.progress(connection)
    if after < since_version:
        # Postgres was restored or made anew, the sensor's cursor was not.
        through = min(through, after + MAX_COMMITS)
        known = _notes(table, after, through)
    elif known is None and after < through:
        known = _notes(table, after, through)
    if after >= through:
        return after, Arrivals()
    if known is None:
        lost = Arrivals()
        lost.miss(told_until, now, "log_cleaned_up")
        return through, lost
    return through, add_up(known, after, told_until, now)


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
