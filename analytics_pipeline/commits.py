"""Turns what the writer committed into dirty periods."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.engines.open_state import key_of
from analytics_pipeline.lib import calendar, period_tables
from analytics_pipeline.lib.arrivals import Arrivals, add_up
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import Cause, PeriodTable
from analytics_pipeline.stores import arrivals as arrival_store
from analytics_pipeline.stores import lake_progress
from analytics_pipeline.stores import periods as period_store
from eventmill import lake, stream
from eventmill.control import reconciliation, replays
from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, CommitNote, LakeTable, LogTruncatedError, TouchedHour
from eventmill.settings import Settings

HOUR = timedelta(hours=1)
# What a sensor that was away reads at once: a tick has a minute.
MAX_COMMITS = 50_000
# Events by app and hour.
_Events = Counter[tuple[str, datetime]]


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
        for cause, hours in _by_cause(connection, notes).items():
            mark(connection, hours, zones, version, now, cause)
        for kept in period_tables.PERIOD_TABLES:
            definition = duckdb_sql.definition_version(kept.sql_folder)
            period_store.mark_closing(connection, kept.table_name, now)
            period_store.mark_redefined(connection, kept.table_name, kept.grain, definition, now)
        accounted, arrived = _account(connection, table, since_version, version, known, now)
        lake_progress.note_progress(connection, version, max(filter(None, told), default=None), now)
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


def _by_cause(connection: psycopg.Connection, notes: Sequence[CommitNote]) -> dict[Cause, list[TouchedHour]]:
    """Touched hours of the commits; those that an erasure, or a replay from the quarantine, touched are apart."""
    found: dict[Cause, list[TouchedHour]] = {"late_events": [], "replay": [], "erasure": []}
    spans = {note.version: _sequences(note) for note in notes if "through" in note.info}
    lowest = min((span.start for span in spans.values()), default=0)
    replayed = replays.published_since(connection, lowest) if spans else []
    for note in notes:
        apps = {app_id for app_id, sequence in replayed if sequence in spans.get(note.version, ())}
        usual: Cause = "erasure" if note.info.get("cause") == "erasure" else "late_events"
        for hour in note.touched:
            found["replay" if hour.app_id in apps else usual].append(hour)
    return found


def _sequences(note: CommitNote) -> range:
    """Places in the stream of the envelopes in a commit."""
    through = int(note.info["through"])
    return range(through - int(note.info.get("envelopes", 0)) + 1, through + 1)


def mark(
    connection: psycopg.Connection,
    touched: Iterable[TouchedHour],
    zones: dict[str, ZoneInfo],
    version: int,
    now: datetime,
    cause: Cause = "late_events",
) -> None:
    """Make every period dirty that meets a touched hour, and those beside it whose sessions it can move.

    Apps that do not exist any more are passed over. What lies beside it and never held an event has none to move.
    """
    events: _Events = Counter()
    for one in touched:
        if one.app_id in zones:
            events[one.app_id, one.hour] += one.events
    week_starts = period_store.week_starts(connection)
    with_goals = period_store.apps_with_goals(connection)
    for table in period_tables.PERIOD_TABLES:
        # An app without goals has no days of them; those of a new goal are asked for when it is saved.
        of_table = _of_apps(events, with_goals) if table is period_tables.GOALS else events
        meeting = partial(_meeting, table, zones, week_starts)
        lacking: Counter[Period] = Counter()
        for key, count in of_table.items():
            lacking.update(dict.fromkeys(meeting(key, key[1], key[1] + HOUR), count))
        period_store.mark_dirty(connection, table.table_name, list(lacking.items()), version, now, cause)
        if table.reach or table.carry:
            near = {one for key in of_table for one in meeting(key, *table.changed_by(key[1], key[1] + HOUR))}
            near -= lacking.keys()
            known = period_store.computed_versions(connection, table.table_name, sorted(near))
            moved = [(period, 0) for period in near if key_of(period) in known]
            period_store.mark_dirty(connection, table.table_name, moved, version, now, cause)


def _meeting(
    table: PeriodTable,
    zones: dict[str, ZoneInfo],
    week_starts: dict[str, int],
    key: tuple[str, datetime],
    start: datetime,
    end: datetime,
) -> Iterator[Period]:
    """Periods of the table that meet `[start, end)`, of the app of an hour."""
    app_id, _ = key
    return calendar.meeting(table.grain, app_id, zones[app_id], start, end, week_starts.get(app_id, 1))


def _of_apps(events: _Events, app_ids: frozenset[str]) -> _Events:
    return Counter({key: count for key, count in events.items() if key[0] in app_ids})


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
