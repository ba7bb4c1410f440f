"""The job that forgets old news."""

from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from analytics_pipeline import anomalies, webhooks
from analytics_pipeline.lib import lanes
from analytics_pipeline.stores import anomalies as anomaly_store
from eventmill import warehouse
from eventmill.settings import load_settings


@dg.op
def delete_old_news(context: dg.OpExecutionContext) -> None:
    """Delete bodies that were sent 30 days ago, and comparisons of hours 400 days ago."""
    now = datetime.now(UTC)
    with closing(warehouse.connect(load_settings())) as connection:
        sent, compared = webhooks.forget(connection, now), anomaly_store.forget_before(connection, anomalies.KEPT, now)
        connection.commit()
    context.log.info("Deleted %d bodies and %d comparisons.", sent, compared)


@dg.job(name="old_news", description="Deletes what was sent and compared long ago.", tags=lanes.UPKEEP)
def old_news() -> None:
    """One op."""
    delete_old_news()
