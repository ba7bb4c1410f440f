"""What a supervisor leaves for others to read: its lock and the state of its processes."""

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import pytest

from eventmill.embedded.run_directory import RunDirectory, RunState, Status


def test_a_supervisor_that_has_just_begun_shows_nothing_of_the_run_before_it(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.save(RunState(1, {"nats": Status("ready")}))
    with directory.locked():
        assert directory.current() == RunState(os.getpid())


def test_asking_who_runs_never_keeps_a_supervisor_from_starting(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    lock = tmp_path / "lock"
    lock.touch()
    with lock.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        with directory.locked():
            assert directory.supervisor_pid() == os.getpid()


def test_the_state_file_is_plain_json(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.save(RunState(7, {"nats": Status("ready", pid=8, started_at=time.time())}))
    content = json.loads((tmp_path / "state.json").read_text())
    assert content["processes"]["nats"]["phase"] == "ready"
    assert directory.load().processes["nats"].pid == 8


@pytest.mark.parametrize("content", ["", "[]", '{"supervisor_pid": 1}', '{"processes": {"nats": {"new": 1}}}'])
def test_a_state_file_that_a_power_cut_or_another_version_left_stops_no_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    assert RunDirectory(tmp_path).load() == RunState()
