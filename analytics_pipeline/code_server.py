"""Serves the code location to Dagster: `python -m analytics_pipeline.code_server`.

This is `dagster code-server start`, whose inner server (replaced at every reload) takes its run workers from a warm
process; see `warm_workers`.
"""

import logging
import os
import sys

import dagster as dg
from dagster._cli import main as dagster_cli
from dagster._grpc import server

from eventmill import dbt
from eventmill.settings import Settings, load_settings

log = logging.getLogger(__name__)
MODULE = "analytics_pipeline.definitions"
WARM_ENTRY_POINT = "analytics_pipeline.warm_workers"


def serve(module: str, host: str, port: int) -> None:
    """Serve the definitions of `module` until terminated."""
    server.get_python_environment_entry_point = lambda executable: [executable, "-m", WARM_ENTRY_POINT]
    arguments = ["-m", module, "-h", host, "-p", str(port), "--startup-timeout", "180"]
    sys.argv = ["dagster", "code-server", "start", *arguments]
    dagster_cli()


def fail_lost_runs(instance: dg.DagsterInstance) -> int:
    """Fail the runs of the code server before this one, and return how many.

    Their workers ended with it. Nobody else would notice, and each would keep its lane from launching another.
    """
    running = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    lost = instance.get_runs(dg.RunsFilter(statuses=running))
    for run in lost:
        instance.report_run_failed(run, "The code server that ran it has ended.")
    return len(lost)


def main(settings: Settings) -> None:
    """Serve our definitions; dbt finds the warehouse in the environment."""
    os.environ.update(dbt.dbt_environment(settings))
    with dg.DagsterInstance.get() as instance:
        if lost := fail_lost_runs(instance):
            log.warning("%d runs were lost with the code server before this one.", lost)
    serve(MODULE, settings.bind, settings.dagster_grpc_port)


if __name__ == "__main__":
    main(load_settings())
