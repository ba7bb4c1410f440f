"""A whole installation under test: a home with ports of its own, every real process, and the command line on it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from eventmill.embedded.children import die_with_parent
from eventmill.embedded.processes import environment
from eventmill.settings import Settings
from tests.workers import free_ports

# A cold start takes half a minute on a calm machine; this is for one that does other things as well.
PATIENCE_SECONDS = 400


class Installation:
    """What a user has: `eventmill` on a home. Further settings are given by name."""

    def __init__(self, home: Path, **settings: Any) -> None:
        names = [name for name in Settings.model_fields if name.endswith("_port")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.settings = Settings(home=home, **ports, **settings)
        self.environment = environment(self.settings, os.environ)
        self.output = home.with_name(f"{home.name}-output.log")
        self.up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run `eventmill up` and wait until every process is healthy."""
        with self.output.open("ab") as output:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "eventmill", "up"],
                env=self.environment,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one prctl call, no lock taken
            )
        self.until(self.is_healthy)

    def stop(self) -> None:
        """End what `start` started."""
        if self.up is not None and self.up.poll() is None:
            self.up.terminate()
            self.up.wait()

    def is_healthy(self) -> bool:
        """Whether every process runs and answers."""
        answer = self.run("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["running"]

    def until(self, condition: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for `condition`, as long as `up` runs."""
        deadline = time.monotonic() + patience_seconds
        while not condition():
            assert self.up is not None
            assert self.up.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, f"{self.output.read_text()}\n{self.status()}"
            time.sleep(0.3)

    def status(self) -> dict[str, Any]:
        """`eventmill status --json`."""
        return json.loads(self.run("status", "--json").stdout)

    def process(self, name: str) -> dict[str, Any]:
        """One process of the status."""
        return next(one for one in self.status()["processes"] if one["name"] == name)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `eventmill …` and return what it did."""
        command = [sys.executable, "-m", "eventmill", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def json(self, *arguments: str) -> Any:
        """Run `eventmill … --json`, which has to succeed, and parse what it printed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

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

    def get(self, path: str, key: str, **parameters: Any) -> Any:
        """JSON of a GET at the query service."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.settings.http_port}{path}",
            params=parameters,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
        return answer.raise_for_status().json()

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement at the warehouse."""
        with psycopg.connect(self.settings.database_address, options="-c timezone=UTC") as connection:
            return connection.execute(statement, parameters).fetchall()

    def settle(self) -> None:
        """Wait until all that the stream holds now is in the lake and noticed, and every metric is computed from it.

        Sessions, weeks and months come every five minutes, closed hours of people who signed up later within an hour;
        nothing here waits for them.
        """
        asked_at = datetime.now(UTC)

        def is_settled() -> bool:
            progress = self.query("select coalesce(complete_through >= %s, false) from rollups.lake_progress", asked_at)
            dirty = self.query(
                "select count(*) from rollups.periods where dirty_since is not null and table_name = 'metric'"
                " and grain in ('hour', 'day') and (cause <> 'identity' or late_pending > 0)"
            )
            return progress == [(True,)] and dirty == [(0,)]

        self.until(is_settled)
