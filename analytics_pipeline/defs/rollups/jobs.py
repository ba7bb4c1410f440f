"""One job per rollup asset: partitions of different kinds cannot share a run."""

import dagster as dg

from analytics_pipeline.lib.period_tables import PERIOD_TABLES


def job_name(asset: str) -> str:
    """Name of the job that refreshes `asset`."""
    return f"refresh_{asset}"


def refresh_jobs() -> list:
    """Refresh without checks: these read whole periods and run on their own schedule."""
    return [
        dg.define_asset_job(
            job_name(table.asset),
            selection=dg.AssetSelection.assets(["rollups", table.asset]).without_checks(),
            description=f"Brings partitions of rollups/{table.asset} up to the lake.",
        )
        for table in PERIOD_TABLES
    ]
