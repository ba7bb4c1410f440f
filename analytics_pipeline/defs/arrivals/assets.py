"""The accounts as Dagster sees them."""

from datetime import timedelta

import dagster as dg

from analytics_pipeline.defs.lake.assets import EVENTS

ACCOUNTS = dg.AssetSpec(
    key=["rollups", "ingest_accounting"],
    deps=[EVENTS],
    group_name="rollups",
    kinds={"postgres"},
    description="What became of every event that arrived, per app and UTC hour; the sensor lake_commits adds to it.",
    freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=2), timedelta(hours=1)),
)


def assets() -> list[dg.AssetSpec]:
    """External assets: a sensor fills them, no run does."""
    return [ACCOUNTS]
