"""Finds and ends what a killed supervisor left running; never a process that merely got an old process id."""

import os
import signal
from pathlib import Path

import psutil

from eventmill.embedded.run_directory import RunState

# Every supervised process inherits it, and so do its children.
MARKER = "EVENTMILL_SUPERVISED_HOME"
# Clock corrections move start times a little; process ids come round again much later.
START_TOLERANCE_SECONDS = 1.0


def end_leftovers(home: Path, state: RunState, timeout_seconds: float = 10.0) -> list[int]:
    """End the processes of an earlier supervisor of `home`, by force after the timeout; gives their ids."""
    recorded = _recorded(state)
    found = {process.pid: process for process in [*recorded, *_marked(home)]}
    for process in found.values():
        _send(process, _stop_signal(process, state))
    _, alive = psutil.wait_procs(list(found.values()), timeout=timeout_seconds)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=timeout_seconds)
    return sorted(found)


def _recorded(state: RunState) -> list[psutil.Process]:
    """The recorded processes, with their children, that still run and started when the record says."""
    processes: list[psutil.Process] = []
    for status in state.processes.values():
        if status.pid is None or status.started_at is None:
            continue
        try:
            process = psutil.Process(status.pid)
            if abs(process.create_time() - status.started_at) <= START_TOLERANCE_SECONDS:
                # Children first: PostgreSQL's leave on their own, the others' might not.
                processes += [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            continue
    return processes


def _marked(home: Path) -> list[psutil.Process]:
    """The processes whose environment says that a supervisor of `home` started them."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    marked: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARKER) == str(home):
                marked.append(process)
        except (psutil.Error, OSError):
            # Another user's process, or one that ended just now: not ours to end.
            continue
    return marked


def _stop_signal(process: psutil.Process, state: RunState) -> signal.Signals:
    numbers = {status.pid: status.stop_signal for status in state.processes.values()}
    return signal.Signals(numbers.get(process.pid, signal.SIGTERM))


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
