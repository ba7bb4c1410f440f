"""No run is asked for beside one that will do the same, and none keeps what is open from running."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import dagster as dg
import pytest
import yaml

from analytics_pipeline.defs.lake import sensors
from analytics_pipeline.defs.upkeep import schedules
from analytics_pipeline.lib.lanes import LANE_TAG, UPKEEP, Request
from analytics_pipeline.lib.period_tables import HOURLY, Lane
from tests.dagster_jobs import quick

pytestmark = pytest.mark.integration
HOUR = datetime(2026, 5, 12, 14, tzinfo=UTC)
OPEN = Request(HOURLY, "open", HOUR, HOUR, 7)
CLOSED = Request(HOURLY, "closed", HOUR, HOUR, 7)
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
        instance.create_run_for_job(quick, status=status, tags={LANE_TAG: lane})
        assert sensors._launchable(instance, [OPEN, CLOSED], HOUR) == launched


@pytest.mark.parametrize(("lane", "resting"), [("closed", [OPEN]), ("open", [OPEN, CLOSED])])
def test_a_lane_rests_as_long_as_its_run_took_but_for_what_is_open(
    lane: Lane, resting: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_PID_FILE", str(tmp_path / "worker"))
    with dg.DagsterInstance.ephemeral() as instance:
        quick.execute_in_process(instance=instance, tags={LANE_TAG: lane})
        (record,) = instance.get_run_records()
        assert record.start_time
        assert record.end_time
        took = record.end_time - record.start_time
        early, late = (datetime.fromtimestamp(record.end_time + took * part, UTC) for part in (0.5, 1.5))
        assert sensors._launchable(instance, [OPEN, CLOSED], early) == resting
        assert sensors._launchable(instance, [OPEN, CLOSED], late) == [OPEN, CLOSED]


def test_what_is_open_never_waits_for_a_slot() -> None:
    """One run per lane, upkeep and backfill among them: there is room for all of them."""
    dagster = yaml.safe_load((Path(__file__).parents[3] / "dagster.yaml").read_text(encoding="utf-8"))
    backfill, upkeep, retention = 1, 1, 1
    assert dagster["concurrency"]["runs"]["max_concurrent_runs"] == len(get_args(Lane)) + upkeep + retention + backfill
    assert all(UPKEEP.items() <= schedule.job.tags.items() for schedule in schedules.schedules())
