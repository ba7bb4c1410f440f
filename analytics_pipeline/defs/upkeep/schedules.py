"""Schedules: reconciliation with the lake, and checks."""

import dagster as dg

from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.lib import lanes
from analytics_pipeline.reconcile import reconcile


def schedules() -> list[dg.ScheduleDefinition]:
    """Hourly: compare periods with the lake, run the rollups' checks; daily: rebuild and test the marts."""

    @dg.op(name="compare_with_lake")
    def compare_with_lake(context: dg.OpExecutionContext, engine: LakeEngine) -> None:
        """Make every closed period dirty whose rollup is missing or differs from the lake; the sensor does the rest."""
        result = reconcile(engine.refresher())
        context.log.info("Compared %d periods; %d were missing or wrong.", result.compared, len(result.wrong))
        for period in result.wrong[:100]:
            context.log.warning("Requested %s %s of %s.", period.grain, period.start, period.app_id)

    @dg.job(
        name="reconcile",
        description="Compares the rollups with the lake and requests what is missing.",
        tags=lanes.UPKEEP,
    )
    def reconcile_job() -> None:
        compare_with_lake()

    rollup_checks = dg.define_asset_job(
        "rollup_checks",
        selection=dg.AssetSelection.checks_for_assets(
            dg.AssetKey(["rollups", "hourly_metric"]), dg.AssetKey(["rollups", "daily_metric"])
        ),
        description="Events in the rollups = distinct events in the lake.",
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
        dg.ScheduleDefinition(job=reconcile_job, cron_schedule="7 * * * *", default_status=running),
        dg.ScheduleDefinition(job=rollup_checks, cron_schedule="17 * * * *", default_status=running),
        dg.ScheduleDefinition(job=marts, cron_schedule="40 4 * * *", default_status=running),
    ]
