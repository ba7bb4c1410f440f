"""Runs of the warm code server can be terminated, killed and reloaded as those of Dagster's own."""

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

from tests.workers import free_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[3]
SELECTOR = {"repositoryLocationName": "jobs", "repositoryName": "__repository__"}


class Dagster:
    """A code server and a webserver on it, driven through GraphQL as the UI does."""

    def __init__(self, directory: Path) -> None:
        self.pid_file = directory / "worker-pid"
        code_port, self.port = free_ports(2)
        (directory / "workspace.yaml").write_text(
            f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {code_port}, location_name: jobs}}}}]"
        )
        (directory / "dagster.yaml").write_text(
            "telemetry: {enabled: false}\n"
            "run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}\n"
        )
        self.environment = {**os.environ, "DAGSTER_HOME": str(directory), "WORKER_PID_FILE": str(self.pid_file)}
        serve = (
            f"from analytics_pipeline.code_server import serve; serve('tests.dagster_jobs', '127.0.0.1', {code_port})"
        )
        self.log = (directory / "log").open("wb")
        self.code_server = self._start("-c", serve)
        self.until(lambda: self._listens(code_port))
        arguments = ["-h", "127.0.0.1", "-p", str(self.port), "-w", str(directory / "workspace.yaml")]
        self.webserver = self._start("-m", "dagster_webserver", *arguments)
        self.until(lambda: self._listens(self.port))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=self.log, stderr=self.log, start_new_session=True
        )

    @staticmethod
    def _listens(port: int) -> bool:
        return any(
            connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
            for connection in psutil.net_connections("tcp")
        )

    @staticmethod
    def until(condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        body = answer.raise_for_status().json()
        assert "errors" not in body, body
        return body["data"]

    def launch(self, job: str) -> str:
        self.pid_file.unlink(missing_ok=True)
        launched = self.ask(
            "mutation ($params: ExecutionParams!) { launchRun(executionParams: $params)"
            " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            params={"selector": {**SELECTOR, "pipelineName": job}, "runConfigData": {}},
        )["launchRun"]
        return launched["run"]["runId"]

    def status(self, run_id: str) -> str:
        return self.ask("query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)[
            "runOrError"
        ]["status"]

    def await_status(self, run_id: str, status: str) -> None:
        self.until(lambda: self.status(run_id) == status)

    def worker(self) -> tuple[int, int]:
        """Process id of the run's worker, and of its parent."""
        self.until(self.pid_file.exists)
        self.until(lambda: bool(self.pid_file.read_text()))
        pid, parent = self.pid_file.read_text().split()
        return int(pid), int(parent)

    def stop(self) -> None:
        for process in (self.webserver, self.code_server):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def dagster(new_directory: Callable[[], Path]) -> Iterator[Dagster]:
    dagster = Dagster(new_directory())
    yield dagster
    dagster.stop()


def test_a_run_is_forked_from_the_warm_process(dagster: Dagster) -> None:
    run_id = dagster.launch("quick")
    dagster.await_status(run_id, "SUCCESS")
    _, parent = dagster.worker()
    assert "forkserver" in " ".join(psutil.Process(parent).cmdline())


def test_a_run_can_be_terminated(dagster: Dagster) -> None:
    run_id = dagster.launch("sleeper")
    pid, _ = dagster.worker()
    dagster.ask(
        "mutation ($id: String!) { terminateRun(runId: $id) { __typename ... on TerminateRunFailure { message } } }",
        id=run_id,
    )
    dagster.await_status(run_id, "CANCELED")
    dagster.until(lambda: not psutil.pid_exists(pid))


def test_a_killed_worker_is_a_failed_run(dagster: Dagster) -> None:
    run_id = dagster.launch("sleeper")
    pid, _ = dagster.worker()
    os.kill(pid, signal.SIGKILL)
    dagster.await_status(run_id, "FAILURE")


def test_a_reload_replaces_the_warm_process(dagster: Dagster) -> None:
    dagster.await_status(dagster.launch("quick"), "SUCCESS")
    _, before = dagster.worker()
    reloaded = dagster.ask(
        "mutation ($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }",
        name="jobs",
    )
    assert reloaded["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    dagster.await_status(dagster.launch("quick"), "SUCCESS")
    _, after = dagster.worker()
    assert after != before
