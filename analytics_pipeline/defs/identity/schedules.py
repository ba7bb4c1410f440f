"""The job that lets closed periods follow who is who, every five minutes."""

from contextlib import closing

import dagster as dg

from analytics_pipeline import identity
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.lib import lanes
from eventmill import warehouse


@dg.op
def follow_identities(context: dg.OpExecutionContext, engine: LakeEngine) -> None:
    """Make the closed periods dirty whose events turn out to be another visitor's; the sensor does the rest."""
    refresher = engine.refresher()
    with closing(warehouse.connect(refresher.settings)) as connection, refresher.connect() as duck:
        hours = identity.mark_touched(connection, duck, refresher.snapshot(), refresher.clock())
        connection.commit()
    context.log.info("%d hours hold events of visitors who turned out to be somebody else.", hours)


@dg.job(
    name="identities",
    description="Requests closed periods whose events belong to another visitor than when they were counted.",
    tags=lanes.UPKEEP,
)
def identities() -> None:
    """One step."""
    follow_identities()


def schedules() -> list[dg.ScheduleDefinition]:
    """Every five minutes."""
    running = dg.DefaultScheduleStatus.RUNNING
    return [dg.ScheduleDefinition(job=identities, cron_schedule="*/5 * * * *", default_status=running)]
