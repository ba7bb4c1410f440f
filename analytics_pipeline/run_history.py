"""Keeps Dagster's own database small: what finished runs leave behind goes, what says which partitions are there stays.

`DagsterInstance.delete_run` deletes all events of a run, so that its partitions would look missing: this deletes rows
of Dagster's tables (1.13) itself, in the way that its storage reads them. The newest event of each kind, asset and
partition always stays, and so does a failed run that nothing has made up for: by these Dagster tells what a partition's
status is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from eventmill.embedded.dagster_home import SCHEMA

RUNS_PER_BATCH = 500
EVENTS_PER_BATCH = 5_000
SUCCEEDED_KEPT = timedelta(days=1)
ASSET_EVENTS = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_CHECK_EVALUATION",
    "ASSET_FAILED_TO_MATERIALIZE",
)
# What a run was to do: it tells which partitions run or have failed, until something newer tells of them.
PLANNED = ("ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED")
_TABLES = ("event_logs", "runs", "run_tags", "asset_check_executions")

# Finished, not part of a backfill that goes on.
_FINISHED = """
    select run_id, status from runs
    where id > %(after)s and status = any(%(statuses)s)
        and coalesce(end_time, extract(epoch from update_timestamp)) < %(before)s
        and not exists (
            select from bulk_actions where key = runs.backfill_id and status in ('REQUESTED', 'CANCELING', 'FAILING'))
    order by id limit %(most)s
"""
# Failed runs of which a planned partition was neither made nor planned again since.
_STILL_FAILED = """
    select distinct planned.run_id from event_logs as planned
    where planned.run_id = any(%(runs)s) and planned.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'
        and not exists (
            select from event_logs as newer
            where newer.asset_key = planned.asset_key and newer.partition is not distinct from planned.partition
                and newer.dagster_event_type in ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED')
                and newer.id > planned.id)
"""
_SUPERSEDED = """
    delete from event_logs where id in (
        select old.id from event_logs as old
        where old.dagster_event_type = any(%(types)s) and old.timestamp < to_timestamp(%(before)s) at time zone 'UTC'
            and exists (
                select from event_logs as newer
                where newer.asset_key = old.asset_key and newer.partition is not distinct from old.partition
                    and newer.dagster_event_type = old.dagster_event_type and newer.id > old.id)
            and not exists (select from asset_check_executions where evaluation_event_storage_id = old.id)
        order by old.id limit %(most)s)
"""
_SUPERSEDED_CHECKS = """
    delete from asset_check_executions where id in (
        select old.id from asset_check_executions as old
        where old.create_timestamp < to_timestamp(%(before)s) at time zone 'UTC' and exists (
            select from asset_check_executions as newer
            where newer.asset_key = old.asset_key and newer.check_name = old.check_name
                and newer.partition is not distinct from old.partition and newer.id > old.id)
        order by old.id limit %(most)s)
"""


@dataclass(slots=True)
class Purged:
    """What went: runs with their logs, asset events and check results that newer ones replace; bytes that are left."""

    runs: int = 0
    log_rows: int = 0
    asset_events: int = 0
    check_results: int = 0
    bytes_left: int = 0


def purge(connection: psycopg.Connection[Any], now: datetime, kept: timedelta) -> Purged:
    """Delete what finished runs left behind: of successful ones after a day, of others after `kept`.

    `connection` commits by itself: each batch is a transaction, so that Dagster never waits long.
    """
    connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(SCHEMA)))
    done = Purged()
    _purge_runs(connection, now - min(kept, SUCCEEDED_KEPT), ["SUCCESS"], done)
    _purge_runs(connection, now - kept, ["FAILURE", "CANCELED"], done)
    limits = {"before": (now - kept).timestamp(), "most": EVENTS_PER_BATCH}
    while count := connection.execute(_SUPERSEDED_CHECKS, limits).rowcount:
        done.check_results += count
    while count := connection.execute(_SUPERSEDED, limits | {"types": list(ASSET_EVENTS)}).rowcount:
        done.asset_events += count
    for table in _TABLES:
        # Autovacuum waits for a fifth of the rows; new rows then go where the old ones were.
        connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(table)))
    done.bytes_left = size(connection)
    return done


def _purge_runs(connection: psycopg.Connection[Any], before: datetime, statuses: list[str], done: Purged) -> None:
    scope = {"before": before.timestamp(), "statuses": statuses, "most": RUNS_PER_BATCH, "after": -1}
    while rows := connection.execute(_FINISHED, scope).fetchall():
        runs = [run_id for run_id, _ in rows]
        failed = [run_id for run_id, status in rows if status == "FAILURE"]
        needed = {run_id for (run_id,) in connection.execute(_STILL_FAILED, {"runs": failed}).fetchall()}
        scope["after"] = _last_id(connection, runs)
        with connection.transaction():
            gone = [run_id for run_id in runs if run_id not in needed]
            done.log_rows += connection.execute(
                "delete from event_logs where run_id = any(%s) and (dagster_event_type is null"
                " or dagster_event_type <> all(%s))",
                [gone, list(ASSET_EVENTS)],
            ).rowcount
            done.log_rows += connection.execute(
                "delete from event_logs where run_id = any(%s) and (dagster_event_type is null"
                " or dagster_event_type <> all(%s))",
                [list(needed), [*ASSET_EVENTS, *PLANNED, "PIPELINE_FAILURE"]],
            ).rowcount
            connection.execute("delete from run_tags where run_id = any(%s)", [gone])
            done.runs += connection.execute("delete from runs where run_id = any(%s)", [gone]).rowcount


def _last_id(connection: psycopg.Connection[Any], runs: list[str]) -> int:
    row = connection.execute("select max(id) from runs where run_id = any(%s)", [runs]).fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


def size(connection: psycopg.Connection[Any]) -> int:
    """Bytes of Dagster's tables with their indexes."""
    row = connection.execute(
        "select sum(pg_total_relation_size(c.oid))::bigint from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where nspname = %s and relkind = 'r'",
        [SCHEMA],
    ).fetchone()
    return 0 if row is None else int(row[0])
