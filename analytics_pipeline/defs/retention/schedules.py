"""When the stores are kept small."""

import dagster as dg

from analytics_pipeline.defs.retention.jobs import MAINTENANCE, RETENTION, RUN_HISTORY


def schedules() -> list[dg.ScheduleDefinition]:
    """Retention daily at 02:00, upkeep of lake and stream every six hours after it, Dagster's history daily."""
    running = dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(job=RETENTION, cron_schedule="0 2 * * *", default_status=running),
        dg.ScheduleDefinition(job=MAINTENANCE, cron_schedule="30 2,8,14,20 * * *", default_status=running),
        dg.ScheduleDefinition(job=RUN_HISTORY, cron_schedule="15 3 * * *", default_status=running),
    ]
