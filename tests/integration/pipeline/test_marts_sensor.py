"""The marts' tests and documentation are asked for once per definition, and again where that run failed."""

import dagster as dg
import psycopg
import pytest

from analytics_pipeline.defs.marts import sensors
from eventmill import dbt
from eventmill.settings import Settings
from tests.dagster_jobs import quick

pytestmark = pytest.mark.integration


@dg.asset
def mart() -> None:
    """Stands for all of them."""


@pytest.mark.parametrize(
    ("status", "is_asked_for"),
    [(dg.DagsterRunStatus.FAILURE, True), (dg.DagsterRunStatus.SUCCESS, False), (dg.DagsterRunStatus.STARTED, False)],
)
def test_a_run_of_this_definition_that_failed_is_asked_for_again(
    settings: Settings, connection: psycopg.Connection, status: dg.DagsterRunStatus, is_asked_for: bool
) -> None:
    connection.execute(
        "insert into rollups.metric values"
        " ('shop', 'day', '2026-11-01Z', '2026-11-01', null, 0, 'all', 'total', 'total', '', 1, 1, 1, 1, 1, now())"
    )
    connection.commit()
    (marts_definition,) = sensors.sensors(settings, [mart])
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=dbt.marts_definition())
        assert isinstance(marts_definition(context), dg.SkipReason)
        instance.create_run_for_job(quick, status=status, tags={sensors.DEFINITION_TAG: dbt.marts_definition()})
        assert isinstance(marts_definition(context), dg.SensorResult) is is_asked_for
