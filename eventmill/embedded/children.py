"""Child processes that never outlive the process that started them."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eventmill.embedded.logs import tail
from eventmill.errors import EventmillError

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_SECONDS = 10.0


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send `death_signal` when the parent ends; None off Linux."""
    if sys.platform != "linux":
        return None
    libc, parent = _libc(), os.getpid()

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        # The parent may have ended between the fork and the call above: nobody would tell us.
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the process group led by `pid`; a group that is gone already is fine."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


@dataclass(slots=True)
class Server:
    """One server process that is started, waited for, stopped or killed: for tools and tests.

    `eventmill up` uses the supervisor instead, which also restarts.
    """

    name: str
    argv: Sequence[str]
    log: Path
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    environment: Mapping[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_seconds: float = 30.0) -> None:
        """Start and wait until it is ready. Raises EventmillError with the tail of its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                process_group=0,
                preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509 - one prctl call, no lock taken
            )
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise EventmillError(f"{self.name} did not become ready:\n{tail(self.log)}", f"See {self.log}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it cleanly, by force after 10 s."""
        if self.process is None:
            return
        signal_group(self.process.pid, self.stop_signal)
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        if self.process is not None:
            signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
