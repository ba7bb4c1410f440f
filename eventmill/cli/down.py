"""`eventmill down`: stops a running `eventmill up` and whatever a killed one left."""

import os
import signal
import time

import click

from eventmill.embedded.leftovers import end_leftovers
from eventmill.embedded.run_directory import RunDirectory
from eventmill.errors import EventmillError
from eventmill.settings import Settings

# Reverse order of dependency, at most 10 s each level.
STOP_SECONDS = 60.0


@click.command()
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop everything that `eventmill up` started on this home."""
    run = RunDirectory(settings.home / "run")
    pid = run.supervisor_pid()
    if pid is None:
        ended = end_leftovers(settings.home, run.load())
        click.echo(f"Ended {len(ended)} left-over processes." if ended else "eventmill is not running.")
        return
    click.echo(f"Stopping eventmill (process {pid}) …")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while run.supervisor_pid() == pid:
        if time.monotonic() > deadline:
            raise EventmillError(
                f"eventmill (process {pid}) has not stopped after {STOP_SECONDS:.0f} s.",
                f"`kill -9 {pid}` ends it; the next `eventmill down` ends what it leaves.",
            )
        time.sleep(0.1)
    click.echo("Stopped.")
