"""The inner code server: `dagster …` with run workers forked from a process that has imported everything.

Stock Dagster spawns a new interpreter per run, which imports for 3 to 5 seconds before the first line runs. Here the
workers come from a *forkserver* that has preloaded the code location; launcher, queue, termination and crash
detection stay Dagster's own. The forkserver has imported but opened nothing: no connection, no thread. This replaces
two private names of `dagster._grpc.server` (docs/decisions/0006); Dagster is pinned, and tests/integration/pipeline/
test_warm_workers.py terminates, kills and reloads.
"""

import logging
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from typing import Any

from dagster._cli import main as dagster_cli
from dagster._grpc import server

log = logging.getLogger(__name__)
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
    server.DagsterApiServer._check_for_orphaned_runs = outliving_outages(  # noqa: SLF001 - as the docstring says
        server.DagsterApiServer._check_for_orphaned_runs  # noqa: SLF001
    )


def outliving_outages(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """`check` for dead run workers, made again at the next tick where it failed.

    Dagster's thread ends at the first error. A worker dies of an outage of Postgres just when nobody can note its
    death, and its run would hold its lane for good.
    """

    def check_again_later(api_server: Any) -> None:
        try:
            check(api_server)
        except Exception:
            log.warning("Run workers could not be checked; trying again.", exc_info=True)

    return check_again_later


if __name__ == "__main__":
    warm(sys.argv[sys.argv.index("-m") + 1])
    sys.argv[0] = "dagster"
    dagster_cli()
