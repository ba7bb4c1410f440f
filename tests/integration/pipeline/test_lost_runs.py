"""A run whose worker has gone never holds its lane for good."""

import dagster as dg
import pytest
from dagster._grpc import server

from analytics_pipeline import warm_workers
from analytics_pipeline.code_server import fail_lost_runs
from tests.dagster_jobs import quick

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
def test_a_code_server_that_starts_fails_the_runs_of_the_one_before(status: dg.DagsterRunStatus) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        running = instance.create_run_for_job(quick, status=status)
        waiting = instance.create_run_for_job(quick)
        assert fail_lost_runs(instance) == 1
        assert [instance.get_run_by_id(run.run_id).status for run in (running, waiting)] == [
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.NOT_STARTED,
        ]


def test_workers_are_checked_again_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def check(api_server: object) -> None:
        calls.append(api_server)
        raise ConnectionError

    monkeypatch.setattr(server.DagsterApiServer, "_check_for_orphaned_runs", check)
    monkeypatch.setattr(server, "multiprocessing", server.multiprocessing)
    warm_workers.warm("json")
    for _ in range(2):
        server.DagsterApiServer._check_for_orphaned_runs("server")
    assert calls == ["server", "server"]
