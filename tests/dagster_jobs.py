"""Jobs for the tests of the warm code server."""

import os
import time
from pathlib import Path

import dagster as dg


@dg.op
def sleep_long() -> None:
    """Say who runs, then sleep until somebody ends it."""
    Path(os.environ["WORKER_PID_FILE"]).write_text(f"{os.getpid()} {os.getppid()}", encoding="ascii")
    time.sleep(600)


@dg.op
def finish() -> None:
    """Succeed at once."""
    Path(os.environ["WORKER_PID_FILE"]).write_text(f"{os.getpid()} {os.getppid()}", encoding="ascii")


@dg.job
def sleeper() -> None:
    """A run that can be terminated or killed."""
    sleep_long()


@dg.job
def quick() -> None:
    """A run that succeeds."""
    finish()


defs = dg.Definitions(jobs=[sleeper, quick], executor=dg.in_process_executor)
