"""20,000 short runs in rounds, each purged: how large Dagster's database is after each, and whether a status changed.

`python -m tests.benchmarks.run_history`: starts a PostgreSQL of its own. One run is a real one; the others are its rows
under other ids, so that their shape is Dagster's own.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from analytics_pipeline.run_history import purge, size
from eventmill import warehouse
from eventmill.embedded import dagster_home
from eventmill.embedded.ports import free_ports
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings

ROUNDS, RUNS = 8, 2_500
HOURS = dg.HourlyPartitionsDefinition("2026-01-01-00:00", end_date="2026-01-02-00:00")


@dg.asset(partitions_def=HOURS)
def numbers(context: dg.AssetExecutionContext) -> None:
    """As short as a refresh's run."""
    context.log.info("Refreshed.")


def copy_runs(connection: psycopg.Connection[Any], first: int, count: int, age: timedelta) -> None:
    """Add runs like the newest one, that old."""
    row = connection.execute("select run_id from runs where run_id not like '%-%-%-%-%-%' order by id desc limit 1")
    (run_id,) = row.fetchone() or ("",)
    for table in ("runs", "event_logs", "run_tags"):
        names = [
            name
            for (name,) in connection.execute(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
                " and column_name <> 'id' order by ordinal_position",
                [dagster_home.SCHEMA, table],
            )
        ]
        values = ", ".join(_value(name) for name in names)
        connection.execute(
            f"insert into {table} ({', '.join(names)}) select {values} from {table} cross join"
            " generate_series(%(first)s::integer, %(last)s) as numbers (n) where run_id = %(run)s",
            {"first": first, "last": first + count - 1, "run": run_id, "seconds": age.total_seconds(), "age": age},
        )


def _value(name: str) -> str:
    match name:
        case "run_id":
            return "run_id || '-' || n"
        case "start_time" | "end_time":
            return f"{name} - %(seconds)s"
        case "timestamp" | "create_timestamp" | "update_timestamp":
            return f"{name} - %(age)s"
        case _:
            return name


@contextmanager
def dagster_storage(home: Path) -> Iterator[tuple[dg.DagsterInstance, psycopg.Connection[Any]]]:
    """An instance over a PostgreSQL of its own."""
    (port,) = free_ports(1)
    settings = Settings(home=home, pg_port=port)
    server = PostgresServer.of(settings).server()
    server.start()
    try:
        with warehouse.connect(settings, autocommit=True) as connection:
            connection.execute(f"create schema {dagster_home.SCHEMA}")
            connection.execute(f"set search_path = {dagster_home.SCHEMA}")
            dagster_home.prepare(settings)
            os.environ |= dagster_home.environment(settings)
            instance = dg.DagsterInstance.from_config(str(dagster_home.directory(settings)))
            yield instance, connection
            instance.dispose()
    finally:
        server.stop()


def main() -> None:
    """Print the size after each round."""
    with tempfile.TemporaryDirectory() as directory, dagster_storage(Path(directory)) as (instance, connection):
        dg.materialize([numbers], instance=instance, partition_key="2026-01-01-05:00")
        before = instance.get_materialized_partitions(numbers.key)
        for number in range(1, ROUNDS + 1):
            copy_runs(connection, number * RUNS, RUNS, timedelta(days=8))
            grown = size(connection)
            started_at = time.perf_counter()
            done = purge(connection, datetime.now(UTC), timedelta(days=7))
            seconds = time.perf_counter() - started_at
            print(
                f"{number * RUNS:>7,} runs: {grown / 1e6:6.1f} MB, purged {done.runs:,} runs and {done.log_rows:,} rows"
                f" in {seconds:.1f} s, {done.bytes_left / 1e6:6.1f} MB left"
            )
        print("partition status unchanged:", instance.get_materialized_partitions(numbers.key) == before)


if __name__ == "__main__":
    main()
