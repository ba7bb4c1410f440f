"""What anomalies rest on, and the anomalies as Dagster sees them."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from analytics_pipeline import anomalies
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups.assets import HOURLY_KEY

PROFILE_KEY = dg.AssetKey(["rollups", "hour_profile"])
HOURLY_ANOMALY = dg.AssetSpec(
    key=["rollups", "hourly_anomaly"],
    deps=[HOURLY_KEY, PROFILE_KEY],
    group_name="rollups",
    kinds={"postgres"},
    description="Hours beside the same local hour of the four weeks before; the sensor `watch` compares every minute.",
    freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=2), timedelta(hours=1)),
)


@dg.asset(
    key=PROFILE_KEY,
    group_name="rollups",
    kinds={"duckdb", "postgres"},
    deps=[EVENTS],
    freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=3), timedelta(hours=2)),
    retry_policy=dg.RetryPolicy(max_retries=2, delay=3),
)
def hour_profile(engine: LakeEngine) -> dg.MaterializeResult:
    """Events per minute of the earlier hours that the running and the next hour are compared with."""
    read = anomalies.profile(engine.refresher(), datetime.now(UTC))
    return dg.MaterializeResult(metadata={"hours_read": read})


def assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """One computed by a run every hour, one filled by the sensor."""
    return [hour_profile, HOURLY_ANOMALY]
