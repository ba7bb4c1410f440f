"""The sensor asks for no run beside one that will do the same."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from analytics_pipeline.defs.lake import sensors
from analytics_pipeline.lib.lanes import Lane, Request
from tests.dagster_jobs import quick

pytestmark = pytest.mark.integration
HOUR = datetime(2026, 5, 12, 14, tzinfo=UTC)
OPEN = Request("hourly_metric", "open", HOUR, HOUR, 7)
CLOSED = Request("hourly_metric", "closed", HOUR, HOUR, 7)
STARTING, STARTED = dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize(
    ("lane", "status", "launched"),
    [
        ("open", STARTING, [CLOSED]),
        # It may have begun before the newest commit.
        ("open", STARTED, [OPEN, CLOSED]),
        ("closed", STARTING, [OPEN]),
        # A range becomes clean bit by bit.
        ("closed", STARTED, [OPEN]),
    ],
)
def test_a_lane_waits_for_its_run(lane: Lane, status: dg.DagsterRunStatus, launched: list[Request]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(quick, status=status, tags={sensors.LANE_TAG: lane})
        context = dg.build_sensor_context(instance=instance)
        assert sensors._launchable(context, [OPEN, CLOSED]) == launched
