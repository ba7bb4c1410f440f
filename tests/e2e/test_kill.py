"""What the gateway acknowledged is counted, exactly, whatever was killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eventmill.lake import EVENTS, LakeTable, lake_directory
from tests.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
VICTIMS = ["writer", "nats", "postgres", "dagster-daemon"]


@pytest.mark.parametrize(
    ("rate", "seconds"), [(1000, 16), pytest.param(2000, 60, marks=pytest.mark.chaos)], ids=["short", "long"]
)
def test_lake_rollups_and_marts_agree_with_what_the_gateway_acknowledged(
    mill: Installation, tmp_path: Path, rate: int, seconds: int
) -> None:
    app = mill.json("app", "create", f"Killed {rate}")
    ledger = tmp_path / "ledger"
    flow = _start_seed(mill, app, rate, seconds, ledger)
    for victim in VICTIMS:
        time.sleep(seconds / (len(VICTIMS) + 1))
        os.kill(mill.process(victim)["pid"], signal.SIGKILL)
    output, _ = flow.communicate()
    assert flow.returncode == 0, output
    mill.until(mill.is_healthy)
    _await_count(mill, app["app_id"], rate * seconds)

    acknowledged = set(ledger.read_text().split())
    assert len(acknowledged) == rate * seconds
    assert _unique_ids(mill, app["app_id"]) == acknowledged
    for mart in ("marts.hourly_stats", "marts.daily_stats"):
        assert mill.query(f"select sum(event_count)::int from {mart} where app_id = %s", app["app_id"]) == [
            (len(acknowledged),)
        ]
    rollup = "select sum(events)::int from rollups.metric where app_id = %s and grain = 'hour' and traffic = 'all'"
    assert mill.query(f"{rollup} and dimension = 'total'", app["app_id"]) == [(len(acknowledged),)]


def _start_seed(
    mill: Installation, app: dict[str, str], rate: int, seconds: int, ledger: Path
) -> subprocess.Popen[str]:
    arguments = ["--app", app["app_id"], "--rate", str(rate), "--count", str(rate * seconds), "--via", "http"]
    arguments += ["--key", app["write_key"], "--ledger", str(ledger), "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "eventmill", "seed", *arguments],
        env=mill.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _await_count(mill: Installation, app_id: str, events: int) -> None:
    mill.settle()
    statement = "select coalesce(sum(event_count), 0)::int from marts.daily_stats where app_id = %s"
    mill.until(lambda: mill.query(statement, app_id)[0][0] >= events)
    mill.settle()


def _unique_ids(mill: Installation, app_id: str) -> set[str]:
    """Ids of the app's events in the lake, read by another reader than our engines."""
    table = LakeTable(lake_directory(mill.settings), EVENTS)
    code = (
        "import sys, json; from deltalake import DeltaTable;"
        "import pyarrow.compute as pc;"
        "rows = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=['app_id', 'event_id']);"
        "print(json.dumps(rows.filter(pc.equal(rows['app_id'], sys.argv[2]))['event_id'].unique().to_pylist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(table.directory), app_id], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))
