"""The real writer killed at each named step: after a restart every event is in the lake exactly once."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventmill.lake import QUARANTINE
from eventmill.settings import Settings
from ingest_service.writer.compact import compact
from ingest_service.writer.compaction import MergeLimits
from tests.lake_writer_bench import Lake, batch
from tests.writer_bench import Bench, environment, event, running

pytestmark = pytest.mark.integration

# With rejected events a flush is two commits, so the steps of files and log are passed twice.
STEPS = [
    "after_decode",
    "after_parquet_fsync",
    "after_parquet_fsync:2",
    "before_quarantine_commit",
    "after_quarantine_commit",
    "before_log_link",
    "before_log_link:2",
    "after_log_link",
    "after_log_link:2",
    "after_log_fsync",
    "after_log_fsync:2",
    "after_commit",
]


@pytest.mark.parametrize("step", STEPS)
async def test_a_writer_killed_at_a_step_stores_every_event_once_after_its_restart(
    bench: Bench, writer_process: Callable[..., subprocess.Popen[bytes]], step: str
) -> None:
    for number in range(3):
        last = await bench.publish([event(2 * number), f"bad {number}".encode(), event(2 * number + 1)])
    assert writer_process(fault=step).wait(60) == -signal.SIGKILL
    async with running(bench):
        await bench.wait_until_committed(last)
    assert bench.event_ids() == [f"e{number}" for number in range(6)]
    assert sorted(bench.rows(QUARANTINE)["raw"].to_pylist()) == [b"bad 0", b"bad 1", b"bad 2"]


@pytest.mark.parametrize("step", ["before_compaction_commit", "after_compaction_commit"])
def test_a_compaction_killed_at_a_step_changes_no_row(
    settings: Settings, new_directory: Callable[[], Path], step: str
) -> None:
    lake = Lake.create(new_directory())
    writer = lake.writer()
    for number in range(1, 9):
        writer.write(batch(number, number))
    before = lake.rows()
    command = [sys.executable, "-m", "ingest_service.writer.compact", str(lake.directory)]
    killed = subprocess.run(command, env=environment(settings.model_copy(update={"fault": step})), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert lake.rows().equals(before)
    assert compact(lake.table(), MergeLimits(), datetime.now(UTC)) == (8 if step.startswith("before") else 0)
    assert lake.rows().equals(before)
