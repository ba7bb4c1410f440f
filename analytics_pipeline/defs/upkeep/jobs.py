"""The job that compares the rollups with the lake."""

import dagster as dg

from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.lib import lanes
from analytics_pipeline.reconcile import reconcile


@dg.op
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
    """One op."""
    compare_with_lake()


RECONCILE = reconcile_job
