"""`eventmill retention …`: what is past its horizon leaves the lake."""

from typing import Any

import click

from eventmill.archive import horizons
from eventmill.archive.retention import described, plan_retention, retain
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.settings import Settings

_COLUMNS = ("app_id", "event_date", "hours", "rows")


@click.group()
def retention() -> None:
    """Archive events that are past their app's retention_days."""


@retention.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be archived and deleted.")
@json_option
@click.pass_obj
def run(settings: Settings, dry_run: bool, as_json: bool) -> None:
    """Archive, verify, then remove from the lake; rollups stay as they are. Dagster does this daily at 02:00.

    Example: eventmill retention run --dry-run
    """
    report = _plan(settings) if dry_run else _run(settings)
    if as_json:
        print_fields(report, as_json=True)
        return
    print_rows(report["archived"], _COLUMNS, as_json=False)
    verb = "would leave" if dry_run else "left"
    click.echo(f"{report['rows']:,} events {verb} the lake for the archive.")
    for table, rows in report["expired"].items():
        click.echo(f"{rows:,} rows of {table} {verb} the lake.")


def _plan(settings: Settings) -> dict[str, Any]:
    due = plan_retention(settings)
    rows = [
        {
            "app_id": one.app_id,
            "event_date": one.event_date.isoformat(),
            "hours": list(one.hours),
            "rows": one.rows,
            "received_before": one.received_before.isoformat(),
        }
        for one in due
    ]
    return {
        "dry_run": True,
        "rows": sum(one.rows for one in due),
        "archived": rows,
        "given_up": [],
        "floors": {},
        "expired": horizons.expire(settings, is_dry_run=True),
    }


def _run(settings: Settings) -> dict[str, Any]:
    done = retain(settings)
    return {
        "dry_run": False,
        "rows": done.rows,
        "archived": [described(part) for part in done.archived],
        "given_up": [described(part) for part in done.given_up],
        "floors": {app_id: floor.isoformat() if floor else None for app_id, floor in done.floors.items()},
        "expired": horizons.expire(settings),
    }
