"""`eventmill maintenance …`: upkeep of lake and stream."""

import json

import click

from eventmill.cli.output import json_option, print_rows
from eventmill.errors import EventmillError
from eventmill.maintenance import run_maintenance
from eventmill.settings import Settings

_COLUMNS = (
    "table",
    "files_before",
    "files_after",
    "deleted_files",
    "deleted_log_entries",
    "query_ms_before",
    "query_ms_after",
)


@click.group()
def maintenance() -> None:
    """Keep lake and stream small and quick."""


@maintenance.command()
@json_option
@click.pass_obj
def run(settings: Settings, as_json: bool) -> None:
    """Merge and cluster files, write checkpoints, delete what no reader needs, purge the stream.

    Safe while everything runs; Dagster does it every six hours. Example: eventmill maintenance run
    """
    report = run_maintenance(settings)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        print_rows(report["tables"], _COLUMNS, as_json=False)
        click.echo(f"{report['purged_messages']:,} messages that the lake has held for days left the stream.")
    if report["failed"]:
        raise EventmillError(
            "; ".join(f"{name}: {reason}" for name, reason in report["failed"].items()), "The rest was done."
        )
