"""The assets of local days, weeks and months: thin wrappers of `refresh_days` and `refresh_long`."""

from datetime import timedelta

import dagster as dg

from analytics_pipeline.defs import partitions
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups import runs
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.engines.sessions import FOLDER
from analytics_pipeline.lib.period_tables import MONTHLY, SESSIONS, WEEKLY
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from eventmill.settings import Settings

SESSIONS_KEY = dg.AssetKey(["rollups", "sessions"])
WEEKLY_KEY = dg.AssetKey(["rollups", "weekly_metric"])
MONTHLY_KEY = dg.AssetKey(["rollups", "monthly_metric"])
# Due within five minutes while events arrive; nothing is computed while none do.
_FRESHNESS = dg.FreshnessPolicy.time_window(timedelta(hours=3), timedelta(minutes=15))


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Sessions per day, and metrics per week and month, partitioned from EVENTMILL_HISTORY_START on."""
    common = {
        "group_name": "rollups",
        "kinds": {"duckdb", "postgres"},
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "retry_policy": dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL),
        "freshness_policy": _FRESHNESS,
        "code_version": definition_version(FOLDER),
    }

    @dg.asset(key=SESSIONS_KEY, deps=[EVENTS], partitions_def=partitions.daily(settings), **common)
    def sessions(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Sessions, what actors did and revenue per app and local day; lake tables and the sums that follow."""
        return runs.refresh(context, engine, SESSIONS, refresh_days)

    @dg.asset(key=WEEKLY_KEY, deps=[_whole(SESSIONS_KEY)], partitions_def=partitions.weekly(settings), **common)
    def weekly_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Counts and exact uniques per app, local week and cut. A partition owns the weeks that begin in it."""
        return runs.refresh(context, engine, WEEKLY, refresh_long)

    @dg.asset(key=MONTHLY_KEY, deps=[_whole(SESSIONS_KEY)], partitions_def=partitions.monthly(settings), **common)
    def monthly_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Counts and exact uniques per app, local month and cut."""
        return runs.refresh(context, engine, MONTHLY, refresh_long)

    return [sessions, weekly_metric, monthly_metric]


def _whole(key: dg.AssetKey) -> dg.AssetDep:
    """A week or month rests on the days in it, and on those beside it that an app's own calendar puts there."""
    return dg.AssetDep(key, partition_mapping=dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True))
