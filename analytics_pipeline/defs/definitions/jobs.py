"""Jobs that compute the saved definitions that are due."""

import dagster as dg

from analytics_pipeline.lib.lanes import LANE_TAG

DEFINITIONS_LANE = {LANE_TAG: "definitions"}


def refresh_jobs() -> list:
    """One job per kind."""
    return [
        dg.define_asset_job(
            f"refresh_{kind}",
            selection=dg.AssetSelection.assets(["definitions", kind]).without_checks(),
            description=f"Computes the saved {kind} that are new or behind the lake.",
            tags=DEFINITIONS_LANE,
        )
        for kind in ("cohorts", "funnels")
    ]
