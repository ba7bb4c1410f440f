"""`eventmill up` with every real process: it starts, restarts what crashed, leaves no orphan, and goes on."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


class Demo(Installation):
    """An installation with the demo's flow."""

    def keys(self) -> dict[str, str]:
        return json.loads((self.settings.home / "demo-keys.json").read_text())

    def metrics(self) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"http://127.0.0.1:{self.settings.http_port}/api/metrics/daily",
            headers={"Authorization": f"Bearer {self.keys()['read_key']}"},
            timeout=60,
        )
        return answer.raise_for_status().json()["data"]


def counted(installation: Demo) -> int:
    return sum(row["events"] for row in installation.metrics())


@pytest.fixture
def installation(new_directory: Callable[[], Path]) -> Iterator[Demo]:
    installation = Demo(new_directory())
    yield installation
    if installation.up is not None and installation.up.poll() is None:
        installation.up.terminate()
        installation.up.wait()


def test_up_shows_numbers_restarts_what_crashed_and_stops_without_orphans(installation: Demo) -> None:
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
