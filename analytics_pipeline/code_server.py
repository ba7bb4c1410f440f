"""Serves the code location to Dagster: `python -m analytics_pipeline.code_server`.

This is `dagster code-server start`, whose inner server (replaced at every reload) takes its run workers from a warm
process; see `warm_workers`.
"""

import os
import sys

from dagster._cli import main as dagster_cli
from dagster._grpc import server

from eventmill import dbt
from eventmill.settings import Settings, load_settings

MODULE = "analytics_pipeline.definitions"
WARM_ENTRY_POINT = "analytics_pipeline.warm_workers"


def serve(module: str, host: str, port: int) -> None:
    """Serve the definitions of `module` until terminated."""
    server.get_python_environment_entry_point = lambda executable: [executable, "-m", WARM_ENTRY_POINT]
    arguments = ["-m", module, "-h", host, "-p", str(port), "--startup-timeout", "180"]
    sys.argv = ["dagster", "code-server", "start", *arguments]
    dagster_cli()


def main(settings: Settings) -> None:
    """Serve our definitions; dbt finds the warehouse in the environment."""
    os.environ.update(dbt.dbt_environment(settings))
    serve(MODULE, settings.bind, settings.dagster_grpc_port)


if __name__ == "__main__":
    main(load_settings())
