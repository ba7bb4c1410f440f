"""Follows a run at Dagster from a terminal."""

import time

import click

from eventmill.dagster_client import ENDED, DagsterClient
from eventmill.errors import EventmillError

_POLL_SECONDS = 1.0


def follow(client: DagsterClient, name: str, run_id: str) -> None:
    """Print what the run logs until it has ended. Raises EventmillError where it fails; Ctrl-C ends it."""
    cursor: str | None = None
    try:
        while True:
            news = client.follow(run_id, cursor)
            cursor = news.cursor
            for message in news.messages:
                click.echo(f"{name}: {message}", err=True)
            if news.status in ENDED:
                break
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        client.terminate(run_id)
        raise EventmillError("Interrupted.", "The same command goes on where this one ended.") from None
    if news.status != "SUCCESS":
        raise EventmillError(
            f"Run {run_id} of {name} ended as {news.status}.",
            "The Dagster UI shows why; the same command goes on where this one ended.",
        )
