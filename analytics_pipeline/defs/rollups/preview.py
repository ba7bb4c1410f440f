"""The job that says what a backfill would change."""

from datetime import date

import dagster as dg

from analytics_pipeline.backfill_preview import preview as compute_preview
from analytics_pipeline.defs.resources import LakeEngine
from eventmill.contracts.backfills import LANE, LANE_TAG, PREVIEW_JOB


class PreviewConfig(dg.Config):
    """First and last local date, and the apps; none of them means all."""

    first: str
    last: str
    apps: list[str]


@dg.op
def preview(context: dg.OpExecutionContext, engine: LakeEngine, config: PreviewConfig) -> None:
    """Compute into the schema backfill_preview and compare; nothing that anybody reads is changed."""

    def report(done: int, days: int, day: date) -> None:
        context.log.info("Day %d of %d, %s, is computed.", done, days, day)

    first, last = date.fromisoformat(config.first), date.fromisoformat(config.last)
    differing = compute_preview(engine.refresher(), first, last, config.apps, report)
    context.log.info("%d metrics of days would change.", differing)


@dg.job(
    name=PREVIEW_JOB,
    description="What a backfill would change, in the schema backfill_preview; see `eventmill backfill --preview`.",
    tags={LANE_TAG: LANE},
)
def backfill_preview() -> None:
    """One op."""
    preview()
