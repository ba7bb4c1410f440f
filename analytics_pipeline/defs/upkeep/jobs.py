"""The job that compares the rollups with the lake."""

import dagster as dg

from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.lib import lanes
from analytics_pipeline.reconcile import reconcile


class Scope(dg.Config):
    """Whether all kept history is compared, or what was stored or computed since the comparison before."""

    full: bool = False


@dg.op
def compare_with_lake(context: dg.OpExecutionContext, engine: LakeEngine, config: Scope) -> None:
    """Make every period dirty whose numbers are missing, wrong or at odds with each other; the sensor does the rest."""
    result = reconcile(engine.refresher(), is_full=config.full)
    context.log.info(
        "Compared %d hours and days with the lake; %d were missing or wrong.", result.compared, len(result.wrong)
    )
    for table, periods in result.asked_for.items():
        for period in sorted(periods)[:100]:
            context.log.warning("Requested %s: %s %s of %s.", table, period.grain, period.start, period.app_id)
    for line in result.marts:
        context.log.error("%s", line)


@dg.job(
    name="reconcile",
    description="Compares lake, rollups and marts and requests what is missing or wrong.",
    tags=lanes.UPKEEP,
)
def reconcile_job() -> None:
    """One op."""
    compare_with_lake()


RECONCILE = reconcile_job
# What a run compares that is to look at all kept history.
FULL = {"ops": {"compare_with_lake": {"config": {"full": True}}}}
