"""Jobs that keep the stores small."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg

from analytics_pipeline.lib import lanes
from analytics_pipeline.run_history import purge
from eventmill import warehouse
from eventmill.archive import horizons
from eventmill.archive.retention import retain
from eventmill.maintenance import run_maintenance
from eventmill.settings import load_settings

# A lane of its own: it may take long, and checks and comparisons do not wait for it.
TAGS = {lanes.LANE_TAG: "retention"}


@dg.op
def archive_old_events(context: dg.OpExecutionContext) -> None:
    """Archive what is past its app's horizon, and delete what only supported it."""
    settings = load_settings()
    done = retain(settings)
    context.log.info("Archived %d events in %d files.", done.rows, len(done.archived))
    for part in done.given_up:
        context.log.warning("%s of %s changed meanwhile and is left for the next run.", part.event_date, part.app_id)
    for app_id, floor in done.floors.items():
        context.log.info("Periods of %s that start before %s are not computed again.", app_id, floor)
    for table, rows in horizons.expire(settings).items():
        context.log.info("Removed %d rows of %s.", rows, table)


@dg.op
def maintain_lake_and_stream(context: dg.OpExecutionContext) -> None:
    """Merge and cluster files, clean logs up, purge the stream; in a child process."""
    report = run_maintenance(load_settings())
    for table in report["tables"]:
        context.log.info("%s", table)
    context.log.info("Purged %d messages of the stream.", report["purged_messages"])
    if report["failed"]:
        raise dg.Failure(f"Not everything was maintained: {report['failed']}")


@dg.op
def purge_run_history(context: dg.OpExecutionContext) -> None:
    """Delete what finished runs left in Dagster's database."""
    settings = load_settings()
    with closing(warehouse.connect(settings, autocommit=True)) as connection:
        done = purge(connection, datetime.now(UTC), timedelta(days=settings.run_log_days))
    context.log.info("%s", done)


@dg.job(name="retention", description="Archives events that are past their app's retention.", tags=TAGS)
def retention() -> None:
    """One op."""
    archive_old_events()


@dg.job(name="maintenance", description="Keeps lake and stream small and quick.", tags=TAGS)
def maintenance() -> None:
    """One op."""
    maintain_lake_and_stream()


@dg.job(name="run_history", description="Keeps Dagster's own database small.", tags=TAGS)
def run_history() -> None:
    """One op."""
    purge_run_history()


RETENTION, MAINTENANCE, RUN_HISTORY = retention, maintenance, run_history
