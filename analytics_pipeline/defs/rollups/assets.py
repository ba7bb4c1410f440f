"""The rollup assets: thin wrappers of `analytics_pipeline.refresh`."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg

from analytics_pipeline.defs import partitions
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups import open_periods, runs
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.lib.lanes import LANE_TAG
from analytics_pipeline.lib.period_tables import DAILY, HOURLY
from analytics_pipeline.refresh import Refresher
from eventmill import warehouse
from eventmill.settings import Settings

_RETRY = dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL)
HOURLY_KEY = dg.AssetKey(["rollups", "hourly_metric"])
DAILY_KEY = dg.AssetKey(["rollups", "daily_metric"])


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Hourly and daily metrics, partitioned from EVENTMILL_HISTORY_START on."""
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
        if context.run.tags.get(LANE_TAG) == "open":
            result = open_periods.keep_up(context, engine.refresher())
        else:
            result = runs.refresh(context, engine, HOURLY, Refresher.refresh)
        _report_open_days(context, engine)
        return result

    @dg.asset(
        key=DAILY_KEY,
        partitions_def=partitions.daily(settings),
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=30), timedelta(hours=26)),
        **common,
    )
    def daily_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Counts and exact uniques per app, local day and cut. Uniques of a day are not the sum of its hours."""
        return runs.refresh(context, engine, DAILY, Refresher.refresh)

    return [hourly_metric, daily_metric]


def _report_open_days(context: dg.AssetExecutionContext, engine: LakeEngine) -> None:
    """Open days are computed with open hours: say so of their partitions."""
    window = context.partition_time_window
    if window.end < datetime.now(UTC):
        return
    refresher = engine.refresher()
    with closing(warehouse.connect(refresher.settings)) as connection:
        dates = {period.local_date for period in refresher.open_periods(connection) if period.grain == "day"}
    for day in sorted(dates):
        context.log_event(dg.AssetMaterialization(DAILY_KEY, partition=day.strftime(partitions.DAY_FORMAT)))
