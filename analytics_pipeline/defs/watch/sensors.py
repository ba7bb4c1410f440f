"""Looks at the numbers every minute, without a run, and sends the news."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from analytics_pipeline import alerts, anomalies, webhooks
from analytics_pipeline.defs.arrivals.assets import ACCOUNTS
from analytics_pipeline.defs.watch import checks
from analytics_pipeline.defs.watch.assets import HOURLY_ANOMALY
from analytics_pipeline.defs.watch.results import latest_results
from analytics_pipeline.stores import check_results, lateness
from eventmill import warehouse
from eventmill.settings import Settings

# Dagster's history of them is for people and freshness policies: no entry a minute.
TOLD_EVERY = timedelta(minutes=15)
_BATCHES = 4


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The one that looks, and the one that sends."""

    @dg.sensor(
        name="watch",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares hours with the weeks before, evaluates alerts, and keeps how the checks stand.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        with closing(warehouse.connect(settings)) as connection:
            look(connection, now, _results_of(context, now))
            found = checks.unusual_volume(connection, now)
            filled = _filled(connection, now)
        told_at, _, before = (context.cursor or "").partition(" ")
        told = f"{sorted(found)}"
        if told == before and told_at and now - datetime.fromisoformat(told_at) < TOLD_EVERY:
            return dg.SkipReason("Nothing has changed.")
        evaluation = dg.AssetCheckEvaluation(HOURLY_ANOMALY.key, checks.VOLUME, **checks.volume_of(found))
        return dg.SensorResult(
            cursor=f"{now.isoformat()} {told}",
            asset_events=[*map(dg.AssetMaterialization, filled), *([evaluation] if told != before else [])],
        )

    @dg.sensor(
        name="deliveries",
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends what is in the outbox to webhooks.",
    )
    def deliveries() -> dg.SkipReason:
        for _ in range(_BATCHES):
            if not webhooks.deliver(settings).delivered:
                break
        return dg.SkipReason("It requests no runs.")

    return [watch, deliveries]


def look(connection: psycopg.Connection, now: datetime, results: Callable[[], list[check_results.CheckResult]]) -> None:
    """Anomalies, alerts, restatements and checks, each in a transaction of its own.

    One that fails keeps none of the others from being looked at; their errors are raised together in the end.
    """
    steps: list[Callable[[], object]] = [
        lambda: anomalies.update(connection, now),
        lambda: alerts.evaluate(connection, now),
        lambda: lateness.announce_restatements(connection, now),
        lambda: check_results.keep(connection, results(), lateness.late(connection, now), now),
    ]
    errors: list[Exception] = []
    for step in steps:
        try:
            with connection.transaction():
                step()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("Not everything could be looked at.", errors)


def _filled(connection: psycopg.Connection, now: datetime) -> list[dg.AssetKey]:
    """What is up to date: the anomalies, and the accounts where the lake was read through lately."""
    row = connection.execute("select complete_through >= %s from rollups.lake_progress", [now - TOLD_EVERY]).fetchone()
    return [HOURLY_ANOMALY.key, *([ACCOUNTS.key] if row is not None and row[0] else [])]


def _results_of(context: dg.SensorEvaluationContext, now: datetime) -> Callable[[], list[check_results.CheckResult]]:
    graph = context.repository_def.asset_graph
    checked, assets = sorted(graph.asset_check_keys), sorted(graph.get_all_asset_keys())
    return lambda: latest_results(context.instance, checked, assets, now)
