"""The code location that Dagster loads."""

import dagster as dg

from analytics_pipeline.defs import resources
from analytics_pipeline.defs.arrivals import assets as arrival_assets
from analytics_pipeline.defs.arrivals import checks as arrival_checks
from analytics_pipeline.defs.arrivals import sensors as arrival_sensors
from analytics_pipeline.defs.days import assets as day_assets
from analytics_pipeline.defs.definitions import assets as definition_assets
from analytics_pipeline.defs.definitions import sensors as definition_sensors
from analytics_pipeline.defs.identity import schedules as identity_schedules
from analytics_pipeline.defs.lake import assets as lake_assets
from analytics_pipeline.defs.lake import sensors as lake_sensors
from analytics_pipeline.defs.marts import assets as mart_assets
from analytics_pipeline.defs.marts import sensors as mart_sensors
from analytics_pipeline.defs.retention import schedules as retention_schedules
from analytics_pipeline.defs.rollups import assets as rollup_assets
from analytics_pipeline.defs.rollups import checks as rollup_checks
from analytics_pipeline.defs.rollups import preview as rollup_preview
from analytics_pipeline.defs.upkeep import schedules as upkeep_schedules
from analytics_pipeline.defs.watch import assets as watch_assets
from analytics_pipeline.defs.watch import checks as watch_checks
from analytics_pipeline.defs.watch import schedules as watch_schedules
from analytics_pipeline.defs.watch import sensors as watch_sensors
from analytics_pipeline.lane_executor import lane_executor
from eventmill.settings import Settings, load_settings


def define(settings: Settings) -> dg.Definitions:
    """Everything Dagster shows and runs, for these settings."""
    rollups = rollup_assets.assets(settings)
    marts = mart_assets.assets(settings)
    return dg.Definitions(
        assets=[
            *lake_assets.assets(),
            *arrival_assets.assets(),
            *rollups,
            *day_assets.assets(settings),
            *marts,
            *watch_assets.assets(),
            *definition_assets.assets(settings),
        ],
        asset_checks=[*rollup_checks.checks(), *arrival_checks.checks(), *watch_checks.checks()],
        sensors=[
            *lake_sensors.sensors(settings),
            *arrival_sensors.sensors(settings),
            *mart_sensors.sensors(settings, marts),
            *watch_sensors.sensors(settings),
            *definition_sensors.sensors(settings),
        ],
        jobs=[rollup_preview.backfill_preview],
        schedules=[
            *identity_schedules.schedules(),
            *upkeep_schedules.schedules(),
            *watch_schedules.schedules(),
            *retention_schedules.schedules(),
        ],
        resources={"engine": resources.lake_engine(settings), "dbt_cli": mart_assets.resource()},
        # A run is one warm process: another one per step would cost seconds.
        executor=lane_executor,
    )


defs = define(load_settings())
