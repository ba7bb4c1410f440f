"""HOME/run: who supervises this home, and what the supervised processes are doing."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from eventmill.errors import EventmillError

Phase = Literal["waiting", "starting", "ready", "backoff", "stopping", "stopped", "done", "failed"]


@dataclass(slots=True)
class Status:
    """What `eventmill status` shows of one process; instants are seconds since the epoch."""

    phase: Phase = "waiting"
    pid: int | None = None
    started_at: float | None = None
    stop_signal: int = 15
    restarts: int = 0
    last_exit_code: int | None = None
    last_exit_at: float | None = None


@dataclass(slots=True)
class RunState:
    """The supervisor and the status of each process by name."""

    supervisor_pid: int | None = None
    processes: dict[str, Status] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory with the lock and the state file."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this home for one supervisor. Raises EventmillError when another one has it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("a+") as lock:
            if not _taken(lock.fileno()):
                raise EventmillError(
                    f"eventmill is already running on {self.path.parent} (process {self._pid_in(lock.fileno())}).",
                    "See it with `eventmill status`, end it with `eventmill down`, or set EVENTMILL_HOME.",
                )
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
            lock.truncate(0)

    def supervisor_pid(self) -> int | None:
        """The process that holds the lock, None when nobody does."""
        lock_path = self.path / "lock"
        if not lock_path.exists():
            return None
        with lock_path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(self._pid_in(lock.fileno()) or 0) or None
            return None

    def current(self) -> RunState:
        """What the supervisor that holds the lock has saved, with no process while it has not saved anything yet."""
        pid = self.supervisor_pid()
        state = self.load()
        # The state of an earlier run stays until the next one has looked for its left-overs.
        return state if pid == state.supervisor_pid else RunState(pid)

    def save(self, state: RunState) -> None:
        """Replace the state file in one step: readers never see half of one."""
        unfinished = self.path / "state.json.new"
        unfinished.write_text(json.dumps(asdict(state), indent=2), encoding="utf-8")
        unfinished.replace(self.path / "state.json")

    def load(self) -> RunState:
        """The last saved state, an empty one before the first start."""
        try:
            content: dict[str, Any] = json.loads((self.path / "state.json").read_text(encoding="utf-8"))
            processes = {name: Status(**status) for name, status in content["processes"].items()}
            return RunState(content["supervisor_pid"], processes)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # Emptied by a power cut, or of another version: left-overs are found by their mark as well.
            return RunState()

    @staticmethod
    def _pid_in(lock: int) -> str:
        return os.pread(lock, 32, 0).decode("ascii")


def _taken(lock: int) -> bool:
    """Lock for this process; waits out those who only ask who has the lock, and hold it for an instant."""
    for wait in (*[0.02] * 25, None):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if wait is not None:
            time.sleep(wait)
    return False
