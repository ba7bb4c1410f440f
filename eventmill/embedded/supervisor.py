"""Keeps the processes of one home running: in order of dependency up, in reverse order down."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from eventmill.embedded.leftovers import MARKER, end_leftovers
from eventmill.embedded.logs import rotate
from eventmill.embedded.run_directory import RunDirectory, RunState, Status
from eventmill.embedded.supervised import Process, Supervised

UPKEEP_SECONDS = 30.0


def ignore_report(_name: str, _status: Status) -> None:
    """The listener of a supervisor that nobody watches."""


class Supervisor:
    """Runs `processes` until it is told to stop; `on_change` hears of every change of a process's status."""

    def __init__(
        self,
        home: Path,
        processes: Sequence[Process],
        environment: Mapping[str, str],
        on_change: Callable[[str, Status], None] = ignore_report,
    ) -> None:
        self._home = home
        self._directory = RunDirectory(home / "run")
        self._on_change = on_change
        self._state = RunState()
        self._stop_requested = asyncio.Event()
        marked = {**environment, MARKER: str(home)}
        self._supervised = {
            process.name: Supervised(process, home / "logs" / f"{process.name}.log", marked, self._report)
            for process in processes
        }

    async def run(self, check: Callable[[], None] = lambda: None) -> None:
        """Start everything and return after a stop. Raises EventmillError when a process cannot start.

        `check` runs once this home is ours and left-overs have ended, and may refuse the start by raising.
        """
        with self._directory.locked():
            (self._home / "logs").mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(end_leftovers, self._home, self._directory.load())
            await asyncio.to_thread(check)
            self._state = RunState(os.getpid(), {name: one.status for name, one in self._supervised.items()})
            self._directory.save(self._state)
            await self._run_locked()

    def request_stop(self) -> None:
        """Stop cleanly; asked a second time, end everything by force."""
        if self._stop_requested.is_set():
            for one in self._supervised.values():
                one.kill()
        self._stop_requested.set()

    async def wait_ready(self, names: Sequence[str]) -> None:
        """Return once all the named processes have become ready."""
        for name in names:
            await self._supervised[name].ready.wait()

    async def _run_locked(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.request_stop)
        runs = {name: asyncio.create_task(self._run_one(one)) for name, one in self._supervised.items()}
        upkeep = asyncio.create_task(self._look_after_home())
        stop = asyncio.create_task(self._stop_requested.wait())
        try:
            await self._until_stop_or_failure(stop, list(runs.values()))
        finally:
            await self._stop_all(runs)
            for task in (upkeep, stop):
                await _cancelled(task)

    async def _until_stop_or_failure(self, stop: "asyncio.Task[bool]", runs: list["asyncio.Task[None]"]) -> None:
        running: set[asyncio.Task[None] | asyncio.Task[bool]] = {stop, *runs}
        while not stop.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # Raises what made a process impossible to start; a finished one-shot returns.
                task.result()

    async def _run_one(self, one: Supervised) -> None:
        await self.wait_ready(one.process.after)
        await one.run()

    async def _stop_all(self, runs: Mapping[str, "asyncio.Task[None]"]) -> None:
        stops: dict[str, asyncio.Task[None]] = {}
        for name in runs:
            stops[name] = asyncio.create_task(self._stop_one(name, runs[name], stops))
        await asyncio.gather(*stops.values())

    async def _stop_one(self, name: str, run: "asyncio.Task[None]", stops: Mapping[str, "asyncio.Task[None]"]) -> None:
        """Stop a process after everything that depends on it has stopped, be it through a finished one-shot."""
        dependents = [stops[other] for other, one in self._supervised.items() if name in one.process.after]
        await asyncio.gather(*dependents)
        one = self._supervised[name]
        await one.stop()
        if one.status.phase == "waiting":
            # It still waits for a dependency that will not come.
            run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    async def _look_after_home(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            if not self._home.exists():
                # Somebody removed it: nothing that runs here has a purpose or a place any more.
                self._stop_requested.set()
            for one in self._supervised.values():
                # A disk too full for the copy: the log is cut all the same.
                with suppress(OSError):
                    await asyncio.to_thread(rotate, one.log)

    def _report(self, name: str, status: Status) -> None:
        # A full disk must not end what still runs; the state is written again at the next change.
        with suppress(OSError):
            self._directory.save(self._state)
        self._on_change(name, status)


async def _cancelled(task: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
