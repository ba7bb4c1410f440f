"""One job per rollup asset: partitions of different kinds cannot share a run."""

import dagster as dg

ASSETS = ("hourly_metric", "daily_metric", "page_session")


def job_name(asset: str) -> str:
    """Name of the job that refreshes `asset`."""
    return f"refresh_{asset}"


def refresh_jobs() -> list:
    """Refresh without checks: these read whole periods and run on their own schedule."""
    return [
        dg.define_asset_job(
            job_name(asset),
            selection=dg.AssetSelection.assets(["rollups", asset]).without_checks(),
            description=f"Brings partitions of rollups/{asset} up to the lake.",
        )
        for asset in ASSETS
    ]
