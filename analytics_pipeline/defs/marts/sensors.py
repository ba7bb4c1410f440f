"""Builds the marts' tests and documentation whenever their definition is new."""

from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from analytics_pipeline.lib import lanes
from eventmill import dbt, warehouse
from eventmill.settings import Settings

DEFINITION_TAG = "eventmill/marts_definition"
# A run that failed is asked for again after this long.
_ATTEMPT_SECONDS = 900


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
        if context.cursor == definition and not _has_failed(context.instance, definition):
            return dg.SkipReason("The marts of this definition were requested already.")
        with closing(warehouse.connect(settings)) as connection:
            (has_numbers,) = connection.execute("select exists (select from rollups.metric)").fetchone()
        if not has_numbers:
            # The first numbers come first: on a cold start dbt would take the processor away from them.
            return dg.SkipReason("Waiting for the first rollup.")
        attempt = int(datetime.now(UTC).timestamp()) // _ATTEMPT_SECONDS
        tags = lanes.UPKEEP | {DEFINITION_TAG: definition}
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"{definition}/{attempt}", tags=tags)], cursor=definition
        )

    return [marts_definition]


def _has_failed(instance: dg.DagsterInstance, definition: str) -> bool:
    """Whether the latest run for the definition failed, as where it was stopped in the middle or found no processor.

    Else its tests would stay unknown, and its documentation missing, until the next night.
    """
    latest = instance.get_runs(dg.RunsFilter(tags={DEFINITION_TAG: definition}), limit=1)
    return any(run.status is dg.DagsterRunStatus.FAILURE for run in latest)
