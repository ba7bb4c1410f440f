"""The rollup assets: thin wrappers of `analytics_pipeline.refresh`."""

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg

from analytics_pipeline.defs import partitions
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.refresh import Refreshed
from eventmill.settings import Settings

# A run over a long range computes this many hours, or days, per transaction.
HOURS_AT_ONCE = timedelta(hours=24)
DAY = timedelta(days=1)
_RETRY = dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL)
HOURLY_KEY = dg.AssetKey(["rollups", "hourly_metric"])
DAILY_KEY = dg.AssetKey(["rollups", "daily_metric"])
PAGE_SESSION_KEY = dg.AssetKey(["rollups", "page_session"])


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Hourly and daily metrics and daily page sessions, partitioned from EVENTMILL_HISTORY_START on."""
    common = {
        "group_name": "rollups",
        "kinds": {"duckdb", "postgres"},
        "deps": [EVENTS],
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "retry_policy": _RETRY,
        "code_version": definition_version(),
    }

    @dg.asset(
        key=HOURLY_KEY,
        partitions_def=partitions.hourly(settings),
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=3), timedelta(hours=1)),
        **common,
    )
    def hourly_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Counts and exact uniques per app, local hour and cut. An open hour brings its open day along."""
        window = context.partition_time_window
        refresher = engine.refresher()
        done = []
        for start in _steps(window.start, window.end, HOURS_AT_ONCE):
            done.append(refresher.refresh(refresher.hours(start, min(start + HOURS_AT_ONCE, window.end))))
            context.log.info("Hours from %s are at lake version %d.", start, done[-1].lake_version)
        for day in sorted({period.local_date for result in done for period in result.periods if period.grain == "day"}):
            context.log_event(dg.AssetMaterialization(DAILY_KEY, partition=day.strftime(partitions.DAY_FORMAT)))
        return dg.MaterializeResult(metadata=_metadata(done))

    @dg.asset(
        key=DAILY_KEY,
        partitions_def=partitions.daily(settings),
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=30), timedelta(hours=26)),
        **common,
    )
    def daily_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Counts and exact uniques per app, local day and cut. Uniques of a day are not the sum of its hours."""
        window = context.partition_time_window
        refresher = engine.refresher()
        done = [refresher.refresh(refresher.days(start, start)) for start in _steps(window.start, window.end, DAY)]
        return dg.MaterializeResult(metadata=_metadata(done))

    @dg.asset(
        key=PAGE_SESSION_KEY,
        partitions_def=partitions.daily(settings),
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=30), timedelta(hours=26)),
        **common,
    )
    def page_session(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Sessions, bounces and durations per app and local day, by the page that the session entered on."""
        window = context.partition_time_window
        refresher = engine.refresher()
        done = [
            refresher.refresh_page_sessions(refresher.days(start, start))
            for start in _steps(window.start, window.end, DAY)
        ]
        return dg.MaterializeResult(metadata=_metadata(done))

    return [hourly_metric, daily_metric, page_session]


def _steps(start, end, step: timedelta) -> Iterable:
    while start < end:
        yield start
        start += step


def _metadata(done: list[Refreshed]) -> dict[str, int]:
    return {
        "lake_version": max((result.lake_version for result in done), default=0),
        "periods": sum(len(result.periods) for result in done),
        "rows_changed": sum(result.rows_changed for result in done),
        "rows_deleted": sum(result.rows_deleted for result in done),
        "new_lake_rows": sum(result.new_rows for result in done),
    }
