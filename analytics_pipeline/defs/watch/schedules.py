"""When runs that watch the numbers start."""

import dagster as dg

from analytics_pipeline.defs.watch.assets import hour_profile
from analytics_pipeline.defs.watch.jobs import old_news
from analytics_pipeline.lib import lanes


def schedules() -> list[dg.ScheduleDefinition]:
    """Before each hour: what it will be compared with; daily: forget old news."""
    job = dg.define_asset_job(
        "hour_profile",
        selection=dg.AssetSelection.assets(hour_profile),
        description="Reads events per minute of earlier hours from the lake.",
        tags=lanes.UPKEEP,
    )
    running = dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(job=job, cron_schedule="48 * * * *", default_status=running),
        dg.ScheduleDefinition(job=old_news, cron_schedule="25 3 * * *", default_status=running),
    ]
