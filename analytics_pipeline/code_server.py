"""Serves the code location to Dagster, with run workers forked from a process that has imported everything.

Stock Dagster spawns a new interpreter per run, which imports for 3 to 5 seconds before the first line runs. Here
`dagster api grpc` takes its workers from a *forkserver* that has preloaded the code location; launcher, queue,
termination and crash detection stay Dagster's own. The forkserver has imported but opened nothing: no connection,
no thread. This replaces one private name of `dagster._grpc.server` (see docs/decisions/0006); Dagster is pinned.
"""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from typing import Any

from eventmill import dbt
from eventmill.settings import Settings, load_settings

MODULE = "analytics_pipeline.definitions"
PRELOADED = [
    "dagster._grpc.impl",
    "dagster._core.execution.api",
    "dagster_postgres",
    "psycopg2",
    MODULE,
]


class _WarmMultiprocessing:
    """The module `multiprocessing`, but for the context that run workers are started from."""

    def __init__(self, context: ForkServerContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(multiprocessing, name)

    def get_context(self, method: str | None = None) -> Any:
        """The forkserver where Dagster asks for `spawn`."""
        return self._context if method == "spawn" else multiprocessing.get_context(method)


def warm_workers() -> None:
    """Make Dagster's code server fork its run workers from a preloaded process."""
    from dagster._grpc import server  # noqa: PLC0415 - only this process patches it

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    server.multiprocessing = _WarmMultiprocessing(context)  # type: ignore[assignment]


def main(settings: Settings) -> None:
    """Serve until terminated."""
    os.environ.update(dbt.dbt_environment(settings))
    warm_workers()
    from dagster._cli import main as dagster_cli  # noqa: PLC0415 - after the patch

    host = settings.bind
    sys.argv = ["dagster", "api", "grpc", "-m", MODULE, "-h", host, "-p", str(settings.dagster_grpc_port)]
    dagster_cli()


if __name__ == "__main__":
    main(load_settings())
