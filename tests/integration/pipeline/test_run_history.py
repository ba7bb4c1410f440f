"""Dagster's database stays small, and partitions keep their status."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from analytics_pipeline.run_history import ASSET_EVENTS, purge, size
from eventmill import warehouse
from eventmill.embedded import dagster_home
from eventmill.settings import Settings

pytestmark = pytest.mark.integration
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")
KEPT = timedelta(days=7)


@dg.asset(partitions_def=DAYS)
def numbers(context: dg.AssetExecutionContext) -> None:
    """Fails where the partition's tag says so."""
    context.log.info("A line of the log.")
    if context.run.tags.get("fails"):
        msg = "as told"
        raise RuntimeError(msg)


@dg.asset_check(asset=numbers)
def numbers_are_there() -> dg.AssetCheckResult:
    """Passes."""
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    connection = warehouse.connect(settings, autocommit=True)
    yield connection
    connection.close()


@pytest.fixture
def instance(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Dagster's storage as `eventmill up` has it."""
    connection.execute(f"create schema {dagster_home.SCHEMA}")
    dagster_home.prepare(settings)
    for name, value in dagster_home.environment(settings).items():
        monkeypatch.setenv(name, value)
    instance = dg.DagsterInstance.from_config(str(Path(dagster_home.directory(settings))))
    yield instance
    instance.dispose()


def run(instance: dg.DagsterInstance, day: str, **tags: str) -> None:
    dg.materialize([numbers, numbers_are_there], instance=instance, partition_key=day, tags=tags, raise_on_error=False)


def status(instance: dg.DagsterInstance) -> dict[str, frozenset[str]]:
    """Partitions by what Dagster's UI says of them."""
    from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value  # noqa: PLC0415

    cached = get_and_update_asset_status_cache_value(instance, numbers.key, DAYS)
    assert cached is not None
    subsets = {
        "materialized": cached.deserialize_materialized_partition_subsets(DAYS),
        "failed": cached.deserialize_failed_partition_subsets(DAYS),
    }
    return {name: frozenset(subset.get_partition_keys()) for name, subset in subsets.items()}


def grown_old(connection: psycopg.Connection, days: int) -> None:
    """As if all of that had happened days ago."""
    seconds = days * 86_400
    connection.execute(f"update dagster.runs set start_time = start_time - {seconds}, end_time = end_time - {seconds}")
    for table, column in (("event_logs", "timestamp"), ("asset_check_executions", "create_timestamp")):
        connection.execute(f"update dagster.{table} set {column} = {column} - interval '{days} days'")


def kinds(connection: psycopg.Connection) -> Counter[str]:
    rows = connection.execute("select dagster_event_type, count(*) from dagster.event_logs group by 1").fetchall()
    return Counter({str(kind): count for kind, count in rows})


def test_logs_of_finished_runs_go_and_partitions_keep_their_status(
    instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    for day in ("2026-01-02", "2026-01-02"):
        run(instance, day)
    for day in ("2026-01-03", "2026-01-04"):
        run(instance, day, fails="yes")
    run(instance, "2026-01-04")
    before = status(instance)
    assert before["materialized"] == {"2026-01-02", "2026-01-04"}
    assert before["failed"] == {"2026-01-03"}
    grown_old(connection, 8)
    young = "2026-01-05"
    run(instance, young)
    done = purge(connection, datetime.now(UTC), KEPT)
    assert done.runs == 4  # all but the young one, and the failed one that nothing has made up for
    connection.execute("update dagster.asset_keys set cached_status_data = null")
    after = status(instance)
    assert after["materialized"] == before["materialized"] | {young}
    assert after["failed"] == before["failed"]
    left = kinds(connection)
    assert left["ASSET_MATERIALIZATION"] == 3
    assert left["PIPELINE_START"] == 1
    assert purge(connection, datetime.now(UTC), KEPT).log_rows == 0


def test_successful_runs_go_after_a_day_and_their_asset_events_stay(
    instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    run(instance, "2026-01-01")
    before = kinds(connection)
    grown_old(connection, 2)
    assert purge(connection, datetime.now(UTC), KEPT).runs == 1
    assert kinds(connection) == {kind: before[kind] for kind in ASSET_EVENTS if before[kind]}
    assert size(connection) > 0
    assert instance.get_latest_materialization_event(numbers.key) is not None
