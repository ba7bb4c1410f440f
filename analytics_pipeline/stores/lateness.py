"""Tables of which something waits too long to be computed, and news of numbers that were restated."""

from datetime import datetime, timedelta

import psycopg

from analytics_pipeline.stores import incidents, watch_progress
from analytics_pipeline.stores.incidents import Finding, Key
from eventmill.contracts.freshness import tier_of

RESTATED = "restatement"
# News of restatements are put together: late events may change something every minute.
NEWS_EVERY = timedelta(hours=1)


def late(connection: psycopg.Connection, now: datetime) -> dict[Key, Finding]:
    """Tables and grains of which a period waits longer than it may, by how they are called in news."""
    rows = connection.execute(
        "select table_name, grain, min(dirty_since), count(*) from rollups.periods join control.app using (app_id)"
        " where dirty_since is not null and deleted_at is null"
        "  and (lake_floor is null or period_start >= lake_floor) group by table_name, grain"
    ).fetchall()
    found: dict[Key, Finding] = {}
    for table, grain, since, periods in rows:
        if now - since > tier_of(table, grain).late:
            name = f"{table} by {grain}"
            line = f"{periods} periods wait, the first since {since.isoformat(timespec='minutes')}"
            found[None, f"{name} is late"] = Finding(f"{name} is not fresh", [line])
    return found


def announce_restatements(connection: psycopg.Connection, now: datetime) -> int:
    """One news an hour and app of the closed periods that changed; returns how many it tells of. The caller commits."""
    told_at, last_id = watch_progress.last(connection, RESTATED)
    if told_at is not None and now - told_at < NEWS_EVERY:
        return 0
    rows = connection.execute(
        "select app_id, count(*), string_agg(distinct table_name || ' by ' || grain, ', '),"
        "  string_agg(distinct cause, ', '), min(local_date), max(local_date),"
        "  coalesce(sum(abs(coalesce(value_after, 0) - coalesce(value_before, 0))), 0)::bigint, max(restatement_id)"
        " from rollups.restatement where restatement_id > %s group by app_id order by app_id",
        [last_id],
    ).fetchall()
    for app_id, periods, tables, causes, first, last, difference, _ in rows:
        line = f"{tables}, from {first} to {last}: {difference:,} more or fewer in all; cause: {causes}"
        details = {"periods": periods, "first_date": str(first), "last_date": str(last), "causes": causes.split(", ")}
        finding = Finding(f"{app_id}: {periods:,} closed periods were restated", [line], details)
        incidents.announce(connection, RESTATED, (app_id, f"restated at {now.isoformat()}"), finding, now)
    if rows:
        watch_progress.note(connection, RESTATED, now, max(row[-1] for row in rows))
    return sum(row[1] for row in rows)
