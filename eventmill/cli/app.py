"""`eventmill app …`: tenants and their keys."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from eventmill import warehouse
from eventmill.contracts.limits import DEFAULT_RETENTION_DAYS
from eventmill.control import apps
from eventmill.control.credentials import KeyKind
from eventmill.control.deletion import delete_app
from eventmill.settings import Settings

SHOWN = ("app_id", "name", "org_id", "owner_id", "time_zone", "week_start", "retention_days", "created_at")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def app() -> None:
    """Create, list, change and delete apps and their keys."""


@app.command()
@click.argument("name")
@click.option("--id", "app_id", help="The app's id; made of the name by default.")
@click.option("--org", "org_id", default="default", show_default=True, help="Organisation that the app belongs to.")
@click.option("--owner", "owner_id", help="Whoever answers for it.")
@click.option("--time-zone", default="UTC", show_default=True, help="IANA time zone of its days.")
@click.option("--week-start", type=int, default=1, show_default=True, help="1 Monday to 7 Sunday.")
@click.option("--retention-days", type=int, default=DEFAULT_RETENTION_DAYS, show_default=True, help="0 is for ever.")
@json_option
@click.pass_obj
def create(settings: Settings, /, name: str, as_json: bool, **options: Any) -> None:
    """Create an app and print its keys; they cannot be shown again."""
    with warehouse.connect(settings) as connection:
        created, keys = apps.create_app(connection, name, **options)
    _print_fields({"app_id": created.app_id, **asdict(keys)}, as_json=as_json)


@app.command("list")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List all apps."""
    with warehouse.connect(settings) as connection:
        found = apps.list_apps(connection)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], default=str, indent=2))
        return
    table = Table(*SHOWN)
    for one in found:
        table.add_row(*("" if (value := getattr(one, name)) is None else str(value) for name in SHOWN))
    Console().print(table)


@app.command()
@click.argument("app_id")
@click.option("--name", help="A new name; the id stays.")
@click.option("--owner", "owner_id", help="Whoever answers for it.")
@click.option("--time-zone", help="A new IANA time zone; all its numbers are computed anew.")
@click.option("--week-start", type=int, help="1 Monday to 7 Sunday.")
@click.option("--retention-days", type=int, help="0 is for ever.")
@json_option
@click.pass_obj
def update(settings: Settings, /, app_id: str, as_json: bool, **options: Any) -> None:
    """Change an app."""
    changes = {name: value for name, value in options.items() if value is not None}
    if not changes:
        raise click.UsageError("Name at least one thing to change.")
    with warehouse.connect(settings) as connection:
        changed = apps.update_app(connection, app_id, **changes)
    if "time_zone" in changes:
        click.echo("Its numbers are computed anew now; until then they are missing.", err=True)
    _print_fields(asdict(changed), as_json=as_json)


@app.command("rotate-key")
@click.argument("app_id")
@click.option("--kind", type=click.Choice(get_args(KeyKind)), default="write", show_default=True, help="Which key.")
@json_option
@click.pass_obj
def rotate_key(settings: Settings, app_id: str, kind: KeyKind, as_json: bool) -> None:
    """Revoke a key and print a new one; services forget the old one within 30 s."""
    with warehouse.connect(settings) as connection:
        key = apps.rotate_key(connection, app_id, kind)
    _print_fields({"app_id": app_id, f"{kind}_key": key}, as_json=as_json)


@app.command()
@click.argument("app_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(settings: Settings, app_id: str, yes: bool) -> None:
    """Delete an app and its data from every store. Interrupted, the same command finishes it."""
    with warehouse.connect(settings) as connection:
        found = apps.get_app(connection, app_id)
        connection.rollback()
        if not yes:
            click.confirm(f"Delete {found.name!r} ({app_id}), all its events, numbers and keys, for ever?", abort=True)
        asyncio.run(delete_app(connection, settings, app_id, lambda line: click.echo(line, err=True)))
    click.echo(f"App {app_id} is deleted.")


def _print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(fields, default=str))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")
