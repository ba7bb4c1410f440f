"""Schedules: reconciliation with the lake, and checks."""

import dagster as dg

from analytics_pipeline.defs.upkeep.jobs import FULL, RECONCILE
from analytics_pipeline.defs.watch import checks as watch_checks
from analytics_pipeline.lib import lanes


def schedules() -> list[dg.ScheduleDefinition]:
    """Hourly: compare what is new with the lake, run the rollups' checks; daily: rebuild and test the marts; weekly:
    compare all kept history."""

    rollup_checks = dg.define_asset_job(
        "rollup_checks",
        selection=dg.AssetSelection.checks_for_assets(
            dg.AssetKey(["rollups", "hourly_metric"]),
            dg.AssetKey(["rollups", "daily_metric"]),
            dg.AssetKey(["rollups", "ingest_accounting"]),
        )
        | dg.AssetSelection.checks(*watch_checks.keys()),
        description="Events in the rollups = distinct events in the lake, nothing that arrived is unaccounted for, and"
        " what was computed lately is plausible.",
        tags=lanes.UPKEEP,
    )
    marts = dg.define_asset_job(
        "marts",
        selection=dg.AssetSelection.groups("marts"),
        description="Builds and tests the marts and their documentation.",
        tags=lanes.UPKEEP,
    )
    running = dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(job=RECONCILE, cron_schedule="7 * * * *", default_status=running),
        dg.ScheduleDefinition(
            name="reconcile_everything",
            job=RECONCILE,
            cron_schedule="27 3 * * 0",
            run_config=FULL,
            default_status=running,
        ),
        dg.ScheduleDefinition(job=rollup_checks, cron_schedule="17 * * * *", default_status=running),
        dg.ScheduleDefinition(job=marts, cron_schedule="40 4 * * *", default_status=running),
    ]
