"""Builds the marts' tests and documentation whenever their definition is new."""

from contextlib import closing

import dagster as dg

from analytics_pipeline.lib import lanes
from eventmill import dbt, warehouse
from eventmill.settings import Settings


def sensors(settings: Settings, targets: list[dg.AssetsDefinition]) -> list[dg.SensorDefinition]:
    """The sensor on the dbt project's definition."""

    @dg.sensor(
        name="marts_definition",
        target=targets,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the marts, their tests and their documentation once per definition.",
    )
    def marts_definition(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        definition = dbt.marts_definition()
        if context.cursor == definition:
            return dg.SkipReason("The marts of this definition were requested already.")
        with closing(warehouse.connect(settings)) as connection:
            (has_numbers,) = connection.execute("select exists (select from rollups.metric)").fetchone()
        if not has_numbers:
            # The first numbers come first: on a cold start dbt would take the processor away from them.
            return dg.SkipReason("Waiting for the first rollup.")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=definition, tags=lanes.UPKEEP)], cursor=definition)

    return [marts_definition]
