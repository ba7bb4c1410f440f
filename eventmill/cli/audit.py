"""`eventmill audit`: what administrators did."""

from dataclasses import asdict

import click

from eventmill import warehouse
from eventmill.cli.output import json_option, print_rows
from eventmill.control.audit import entries
from eventmill.settings import Settings

SHOWN = ("at", "actor", "action", "app_id", "target", "details")


@click.command()
@click.option("--app", "app_id", metavar="APP", help="Of this app only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most entries.")
@json_option
@click.pass_obj
def audit(settings: Settings, app_id: str | None, limit: int, as_json: bool) -> None:
    """List what administrators did, by command and by API, the latest first.

    Example: eventmill audit --app shop --limit 20
    """
    with warehouse.connect(settings) as connection:
        rows = [asdict(one) for one in entries(connection, app_id, limit)]
    print_rows(rows, SHOWN, as_json=as_json)
