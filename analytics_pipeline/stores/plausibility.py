"""Asks Postgres for numbers that cannot be right: one file of `checks/` per question, a row per finding."""

from functools import cache
from importlib.resources import files

import psycopg

MOST_NAMED = 50
# What was computed within this time is looked at, the latest first: the check of a backfill is bounded too.
_RECENT = (
    "create temp table recent on commit drop as select app_id, grain, period_start from rollups.periods"
    " where table_name = 'metric' and dirty_since is null and computed_at > now() - interval '26 hours'"
    # A commit that came while it was computed is noticed within seconds.
    " and computed_at < now() - interval '30 seconds' order by computed_at desc limit 2000"
)
_RECENT_SESSIONS = (
    "create temp table recent_sessions on commit drop as select app_id, period_start, computed_version"
    " from rollups.periods where table_name = 'sessions' and grain = 'day' and dirty_since is null"
    " and closed_at is not null and computed_at > now() - interval '26 hours'"
    " and computed_at < now() - interval '30 seconds' order by computed_at desc limit 400"
)
Findings = dict[str, list[str]]


@cache
def statement(name: str) -> str:
    """Text of `checks/<name>.sql`, whose rows are app_id, line."""
    return (files("analytics_pipeline.stores") / "checks" / f"{name}.sql").read_text(encoding="utf-8")


def implausible(connection: psycopg.Connection, name: str) -> Findings:
    """What the check `name` finds among recently computed periods: by app, at most 50 lines."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute(_RECENT)
        connection.execute(_RECENT_SESSIONS)
        connection.execute("analyze recent")
        connection.execute("analyze recent_sessions")
        # Our own text, without values.
        rows = connection.execute(f"select * from ({statement(name)}) as found order by 1, 2 limit {MOST_NAMED}")
        findings: Findings = {}
        for app_id, line in rows.fetchall():
            findings.setdefault(app_id, []).append(line)
    return findings
