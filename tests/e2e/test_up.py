"""`eventmill up` with every real process: it starts, restarts what crashed, leaves no orphan, and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from eventmill.embedded.children import die_with_parent
from eventmill.embedded.ports import free_ports
from eventmill.embedded.processes import environment
from eventmill.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
START_SECONDS = 400


class Installation:
    """A home with ports of its own, and the command line on it."""

    def __init__(self, home: Path) -> None:
        names = [name for name in Settings.model_fields if name.endswith("_port")]
        self.settings = Settings(home=home, **dict(zip(names, free_ports(len(names)), strict=True)))
        self.environment = environment(self.settings, os.environ)
        self.output = home.with_name(f"{home.name}-output.log")
        self.up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "eventmill", "up"],
                env=self.environment,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one prctl call, no lock taken
            )
        self.until(self.is_healthy)

    def is_healthy(self) -> bool:
        answer = self.run("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["running"]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            assert self.up is not None
            assert self.up.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, f"{self.output.read_text()}\n{self.status()}"
            time.sleep(0.5)

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def process(self, name: str) -> dict[str, Any]:
        return next(one for one in self.status()["processes"] if one["name"] == name)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "eventmill", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def processes(self) -> list[int]:
        """Every process that has to do with this home, found from outside: by environment or command line."""
        found = []
        for process in psutil.process_iter():
            try:
                texts = [*process.cmdline(), process.environ().get("EVENTMILL_HOME", "")]
            except psutil.Error:
                continue
            if process.pid != os.getpid() and any(str(self.settings.home) in text for text in texts):
                found.append(process.pid)
        return found

    def keys(self) -> dict[str, str]:
        return json.loads((self.settings.home / "demo-keys.json").read_text())

    def metrics(self) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"http://127.0.0.1:{self.settings.http_port}/api/metrics/daily",
            headers={"Authorization": f"Bearer {self.keys()['read_key']}"},
        )
        return answer.raise_for_status().json()["data"]


def counted(installation: Installation) -> int:
    return sum(row["events"] for row in installation.metrics())


@pytest.fixture
def installation(new_directory: Callable[[], Path]) -> Iterator[Installation]:
    installation = Installation(new_directory())
    yield installation
    if installation.up is not None and installation.up.poll() is None:
        installation.up.terminate()
        installation.up.wait()


def test_up_shows_numbers_restarts_what_crashed_and_stops_without_orphans(installation: Installation) -> None:
    installation.start()
    output = installation.output.read_text()
    assert f"/#key={installation.keys()['read_key']}" in output
    assert (installation.settings.home / "demo-keys.json").stat().st_mode & 0o777 == 0o600
    installation.until(lambda: counted(installation) > 0)

    os.kill(installation.process("writer")["pid"], signal.SIGKILL)
    installation.until(lambda: installation.process("writer")["restarts"] == 1)
    installation.until(lambda: installation.process("writer")["healthy"])

    refused = installation.run("up")
    assert refused.returncode == 1
    assert "already running" in refused.stderr

    before, keys = counted(installation), installation.keys()
    stopped = installation.run("down")
    assert (stopped.returncode, stopped.stdout.splitlines()[-1]) == (0, "Stopped.")
    assert installation.up is not None
    assert installation.up.wait() == 0
    assert installation.processes() == []

    installation.start()
    assert installation.keys() == keys
    assert counted(installation) >= before
    assert installation.up is not None
    installation.up.send_signal(signal.SIGINT)
    assert installation.up.wait() == 0
    assert installation.processes() == []
