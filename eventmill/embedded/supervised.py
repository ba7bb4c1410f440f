"""One supervised process: started, watched until it is ready, restarted with backoff, stopped."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from eventmill.embedded.children import STOP_TIMEOUT_SECONDS, die_with_parent, signal_group
from eventmill.embedded.logs import rotate, tail
from eventmill.embedded.run_directory import Phase, Status
from eventmill.errors import EventmillError

MAX_BACKOFF_SECONDS = 30.0
# A process that stayed up this long has recovered: its next crash is a first one again.
STEADY_SECONDS = 60.0
FIRST_ATTEMPTS = 3
PROBE_INTERVAL_SECONDS = 0.2
WATCH_INTERVAL_SECONDS = 5.0


def _at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Process:
    """What to run: `command` is asked right before each start, in a thread, and may prepare files first."""

    name: str
    command: Callable[[], Sequence[str]]
    after: tuple[str, ...] = ()
    is_ready: Callable[[], bool] = _at_once
    stop_signal: signal.Signals = signal.SIGTERM
    # Runs once and has to succeed before the processes after it start.
    one_shot: bool = False
    start_timeout_seconds: float = 180.0
    # After how long without an answer it is ended and started again; None waits for ever.
    patience_seconds: float | None = None
    environment: Callable[[], Mapping[str, str]] = dict
    # How long it may take to end before it is ended by force; None is 10 s.
    stop_timeout_seconds: float | None = None


def backoff_seconds(crashes: int) -> float:
    """How long to wait before the restart after so many crashes in a row: 0.5 s doubling up to 30 s."""
    return float(min(MAX_BACKOFF_SECONDS, 0.5 * 2 ** (crashes - 1)))


@dataclass(slots=True)
class Supervised:
    """Keeps one process running until `stop`; `report` is called whenever `status` changed."""

    process: Process
    log: Path
    environment: Mapping[str, str]
    report: Callable[[str, Status], None]
    status: Status = field(default_factory=Status)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    child: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start and restart until stopped. Raises EventmillError when it never became ready."""
        crashes = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            code = await self._attempt()
            if self.stopping.is_set():
                break
            if self.process.one_shot and code == 0:
                self.ready.set()
                self._enter("done")
                return
            crashes = 1 if time.monotonic() - started >= STEADY_SECONDS else crashes + 1
            if not self.ready.is_set() and (self.process.one_shot or crashes >= FIRST_ATTEMPTS):
                raise self._failure(f"ended with code {code} while starting")
            self.status.restarts += 1
            self._enter("backoff")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), backoff_seconds(crashes))
        self._enter("stopped")

    async def stop(self) -> None:
        """Ask the process to end, and end its whole group by force after its time; `run` then returns."""
        self.stopping.set()
        if self.child is None:
            return
        self._enter("stopping")
        signal_group(self.child.pid, self.process.stop_signal)
        try:
            await asyncio.wait_for(self.child.wait(), self.process.stop_timeout_seconds or STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End the process and its group at once."""
        self.stopping.set()
        if self.child is not None:
            signal_group(self.child.pid, signal.SIGKILL)

    async def _attempt(self) -> int | None:
        """The exit code of one run; None when it could not be started again, for the log says why."""
        try:
            return await self._run_once()
        except EventmillError as error:
            if not self.ready.is_set():
                raise
            cause: Exception = error
        except OSError as error:
            if not self.ready.is_set():
                raise self._failure(f"cannot start: {error}") from error
            cause = error
        # It ran before: a full disk or an absent server may pass, so this counts as a crash.
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"eventmill: {self.process.name} cannot start: {cause}\n")
        return None

    async def _run_once(self) -> int:
        await self._spawn()
        if self.child is None:
            return 0
        exited = asyncio.create_task(self.child.wait())
        probe = asyncio.create_task(self._await_ready(exited))
        watch = asyncio.create_task(self._end_when_silent(exited))
        try:
            await asyncio.wait([probe, exited], return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                # Raises the failure of a process that is alive and never became ready.
                await probe
            return await exited
        finally:
            probe.cancel()
            watch.cancel()
            # What the leader left of its group: workers of a server that was killed.
            signal_group(self.child.pid, signal.SIGKILL)
            await exited
            self._note_exit(self.child.returncode)

    async def _spawn(self) -> None:
        command = await asyncio.to_thread(self.process.command)
        if self.stopping.is_set():
            return
        with contextlib.suppress(OSError):
            rotate(self.log)
        with self.log.open("ab") as output:
            self.child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self.environment, **self.process.environment()},
                process_group=0,
                preexec_fn=die_with_parent(self.process.stop_signal),
            )
        self.status.pid = self.child.pid
        self.status.stop_signal = int(self.process.stop_signal)
        with contextlib.suppress(psutil.NoSuchProcess):
            self.status.started_at = psutil.Process(self.child.pid).create_time()
        self._enter("starting")
        if self.stopping.is_set():
            # Told to stop while it was being forked, when `stop` had no child to tell: it has done nothing yet.
            self.kill()

    async def _await_ready(self, exited: "asyncio.Task[int]") -> None:
        deadline = time.monotonic() + self.process.start_timeout_seconds
        # A one-shot is ready when it has succeeded, which `run` sees.
        while self.process.one_shot or not await asyncio.to_thread(self.process.is_ready):
            if exited.done():
                return
            if time.monotonic() > deadline and not self.ready.is_set():
                raise self._failure(f"was not ready after {self.process.start_timeout_seconds:.0f} s")
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)
        if not exited.done() and not self.stopping.is_set():
            self.ready.set()
            self._enter("ready")

    async def _end_when_silent(self, exited: "asyncio.Task[int]") -> None:
        """End a process that was ready and has not answered for its patience: `run` then starts it again."""
        patience = self.process.patience_seconds
        if patience is None:
            return
        await self.ready.wait()
        answered_at = time.monotonic()
        while not exited.done() and time.monotonic() - answered_at < patience:
            await asyncio.sleep(min(WATCH_INTERVAL_SECONDS, patience))
            if await asyncio.to_thread(self.process.is_ready):
                answered_at = time.monotonic()
        if self.child is None or exited.done() or self.stopping.is_set():
            return
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"eventmill: {self.process.name} has not answered for {patience:.0f} s and is started again\n")
        signal_group(self.child.pid, self.process.stop_signal)
        await asyncio.wait([exited], timeout=STOP_TIMEOUT_SECONDS)
        if not exited.done():
            signal_group(self.child.pid, signal.SIGKILL)

    def _note_exit(self, code: int | None) -> None:
        self.child = None
        self.status.pid = None
        self.status.last_exit_code = code
        self.status.last_exit_at = time.time()

    def _enter(self, phase: Phase) -> None:
        self.status.phase = phase
        self.report(self.process.name, self.status)

    def _failure(self, what: str) -> EventmillError:
        return EventmillError(
            f"{self.process.name} {what}. The end of its log:\n{tail(self.log)}",
            f"The whole log is {self.log}\n`eventmill doctor` checks the usual causes.",
        )
