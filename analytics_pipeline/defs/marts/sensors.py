"""Builds the marts' tests and documentation whenever their definition is new."""

import dagster as dg

from eventmill import dbt


def sensors(targets: list[dg.AssetsDefinition]) -> list[dg.SensorDefinition]:
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
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=definition)], cursor=definition)

    return [marts_definition]
