"""The results of saved definitions: each run computes those that are due, whatever asked for it."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from analytics_pipeline import cohorts as cohort_refresh
from analytics_pipeline import definition_versions
from analytics_pipeline import funnels as funnel_refresh
from analytics_pipeline.cohorts import Refreshed
from analytics_pipeline.defs import partitions
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups import runs
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.goals import refresh_goals
from analytics_pipeline.lib.period_tables import GOALS
from eventmill.settings import Settings, load_settings

COHORTS_KEY = dg.AssetKey(["definitions", "cohorts"])
GOALS_KEY = dg.AssetKey(["rollups", GOALS.asset])
FUNNELS_KEY = dg.AssetKey(["definitions", "funnels"])


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Cohorts and funnels, which follow the definitions in `control`, so no partition names them; goals per day."""
    common = {
        "kinds": {"duckdb", "postgres"},
        "deps": [EVENTS],
        "retry_policy": dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL),
        # While nothing arrives there is nothing to compute but what a new day changes.
        "freshness_policy": dg.FreshnessPolicy.time_window(timedelta(hours=50), timedelta(hours=26)),
    }

    @dg.asset(
        key=GOALS_KEY,
        group_name="rollups",
        partitions_def=partitions.daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=definition_version(GOALS.sql_folder),
        **common,
    )
    def goal_metric(context: dg.AssetExecutionContext, engine: LakeEngine) -> dg.MaterializeResult:
        """Events, visitors and sessions that reached each goal, per app and local day on which the session began."""
        return runs.refresh(context, engine, GOALS, refresh_goals)

    @dg.asset(key=COHORTS_KEY, group_name="definitions", code_version=definition_versions.of_cohorts(), **common)
    def cohorts(engine: LakeEngine) -> dg.MaterializeResult:
        """Size and retention of every saved cohort, by day, week and month."""
        return _result(cohort_refresh.refresh_cohorts(load_settings(), engine.memory.get_connection, datetime.now(UTC)))

    @dg.asset(key=FUNNELS_KEY, group_name="definitions", code_version=definition_versions.of_funnels(), **common)
    def funnels(engine: LakeEngine) -> dg.MaterializeResult:
        """How many people reach each step of every saved funnel."""
        return _result(funnel_refresh.refresh_funnels(load_settings(), engine.memory.get_connection, datetime.now(UTC)))

    return [goal_metric, cohorts, funnels]


def _result(refreshed: Refreshed) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"computed": refreshed.computed, "rows_changed": refreshed.rows_changed})
