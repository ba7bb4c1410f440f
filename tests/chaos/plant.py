"""Broker, gateway and writer as real processes that a test may kill, stop, break and start again."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from eventmill.embedded import probes
from eventmill.embedded.children import Server, die_with_parent
from eventmill.embedded.nats import NatsServer
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests.writer_bench import environment

PATIENCE_SECONDS = 120.0
STOP_SECONDS = 30.0
MODULES = {"gateway": "ingest_service.gateway", "writer": "ingest_service.writer"}


@dataclass(slots=True)
class Plant:
    """The ingest side on one home. `variables` are added to a process's environment by its name."""

    settings: Settings
    nats: NatsServer
    broker: Server
    # Of PostgreSQL, which is the test session's.
    postmaster: Path
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, **variables: str) -> None:
        """Start gateway or writer, with further variables; does not wait."""
        given = environment(self.settings) | {"PYTHONFAULTHANDLER": "1"} | self.variables.get(name, {}) | variables
        with (self.settings.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", MODULES[name]],
                env=given,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no lock taken
            )

    def start_all(self) -> None:
        """Start what does not run and wait until everything is ready."""
        if self.broker.process is None or self.broker.process.poll() is not None:
            self.broker.start()
        for name in MODULES:
            if not self.runs(name):
                self.start(name)
        self.wait_until_ready()

    def runs(self, name: str) -> bool:
        """Whether gateway or writer has not ended."""
        process = self.processes.get(name)
        return process is not None and process.poll() is None

    def wait_until_ready(self) -> None:
        """Return when gateway and writer say that they are ready. Starts again what has ended meanwhile."""
        ports = {"gateway": self.settings.ingest_port, "writer": self.settings.writer_port}
        for name, port in ports.items():
            self.until(
                partial(self._is_ready_or_restarted, name, port), f"{name} did not become ready: {self.log(name)}"
            )

    def _is_ready_or_restarted(self, name: str, port: int) -> bool:
        if not self.runs(name):
            self.start(name)
        return probes.http(f"http://127.0.0.1:{port}/health/ready")

    def until(self, condition: Callable[[], bool], otherwise: str = "", seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a condition; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, otherwise or "it did not happen in time"
            time.sleep(0.05)

    def log(self, name: str) -> str:
        """The end of a process's log."""
        path = self.settings.home / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def log_size(self, name: str) -> int:
        """Length of a process's log, for `log_since`."""
        return (self.settings.home / f"{name}.log").stat().st_size

    def log_since(self, name: str, size: int) -> list[str]:
        """What a process has logged since its log was that long."""
        with (self.settings.home / f"{name}.log").open("rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace").splitlines()

    def pid(self, name: str) -> int:
        """Process id of broker, gateway, writer or postgres."""
        if name == "postgres":
            return int(self.postmaster.read_text().split()[0])
        process = self.broker.process if name == "broker" else self.processes[name]
        assert process is not None
        return process.pid

    def kill(self, name: str) -> None:
        """As a crash would."""
        if name == "broker":
            self.broker.kill()
            return
        self.processes[name].kill()
        self.processes[name].wait()

    def pause(self, name: str, seconds: float) -> None:
        """Stop a process and its children in their tracks for some seconds: they neither work nor end."""
        process = psutil.Process(self.pid(name))
        stopped = [process, *process.children(recursive=True)]
        for one in stopped:
            _signal(one, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            for one in stopped:
                _signal(one, signal.SIGCONT)

    def compact(self) -> None:
        """Run the writer's compaction once."""
        command = [sys.executable, "-m", "ingest_service.writer.compact", str(lake_directory(self.settings))]
        subprocess.run(command, env=environment(self.settings), capture_output=True, check=True)

    def restart(self, name: str, **variables: str) -> None:
        """End a process cleanly and start it with further variables."""
        process = self.processes[name]
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # It says then where its threads are.
            process.send_signal(signal.SIGABRT)
            process.wait()
            raise AssertionError(f"{name} did not end: {self.log(name)}") from None
        self.start(name, **variables)

    def stop_all(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.broker.kill()


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    # A child may have ended meanwhile.
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def plant_on(settings: Settings, log: Path, postmaster: Path) -> Plant:
    """A plant whose broker keeps its data below the settings' home."""
    nats = NatsServer(settings.home / "nats", log, settings.nats_port, settings.nats_monitor_port, 8 * 1024**3)
    return Plant(settings, nats, nats.server(), postmaster)
