"""The inner code server: `dagster …` with run workers forked from a process that has imported everything.

Stock Dagster spawns a new interpreter per run, which imports for 3 to 5 seconds before the first line runs. Here the
workers come from a *forkserver* that has preloaded the code location; launcher, queue, termination and crash
detection stay Dagster's own. The forkserver has imported but opened nothing: no connection, no thread. This replaces
one private name of `dagster._grpc.server` (docs/decisions/0006); Dagster is pinned, and tests/integration/pipeline/
test_warm_workers.py terminates, kills and reloads.
"""

import multiprocessing
import sys
from multiprocessing.context import ForkServerContext
from typing import Any

from dagster._cli import main as dagster_cli
from dagster._grpc import server

PRELOADED = ["dagster._grpc.impl", "dagster._core.execution.api", "dagster_postgres", "psycopg2"]


class _WarmMultiprocessing:
    """The module `multiprocessing`, but for the context that run workers are started from."""

    def __init__(self, context: ForkServerContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(multiprocessing, name)

    def get_context(self, method: str | None = None) -> Any:
        """The forkserver where Dagster asks for `spawn`."""
        return self._context if method == "spawn" else multiprocessing.get_context(method)


def warm(module: str) -> None:
    """Make this process' code server fork its run workers from one that has imported `module`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, module])
    server.multiprocessing = _WarmMultiprocessing(context)


if __name__ == "__main__":
    warm(sys.argv[sys.argv.index("-m") + 1])
    sys.argv[0] = "dagster"
    dagster_cli()
