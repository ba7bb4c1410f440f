"""`eventmill app …`: tenants and their keys."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Any, get_args

import click

from eventmill import warehouse
from eventmill.cli import keys as key_commands
from eventmill.cli.keys import people_option
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.contracts.limits import DEFAULT_RETENTION_DAYS
from eventmill.control import apps
from eventmill.control.credentials import KeyKind
from eventmill.control.deletion import delete_app
from eventmill.control.origins import key_origins, set_origins
from eventmill.embedded.nats_keys import create_key
from eventmill.settings import Settings

NO_ORIGIN = "none"
SHOWN = ("app_id", "name", "time_zone", "retention_days", "events_per_second", "allowed_origins", "created_at")


origin_option = click.option(
    "--allow-origin",
    "allowed_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web origin whose pages may use the write key (https://www.example.org); repeatable, * is any, none is none.",
)


def origins_of(given: tuple[str, ...]) -> list[str] | None:
    """The origins that the option names; None where it was not given. Raises UsageError for `none` beside others."""
    if NO_ORIGIN in given:
        if len(given) > 1:
            raise click.UsageError("--allow-origin none stands alone.")
        return []
    return list(given) or None


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
@origin_option
@json_option
@click.pass_obj
def create(settings: Settings, /, name: str, allowed_origins: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Create an app and print its keys; they cannot be shown again.

    Example: eventmill app create Shop --allow-origin https://shop.example --json
    """
    with warehouse.connect(settings) as connection:
        created, keys = apps.create_app(connection, name, allowed_origins=origins_of(allowed_origins), **options)
    print_fields({"app_id": created.app_id, **asdict(keys)}, as_json=as_json)


@app.command("list")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List all apps; `allowed_origins` are those of their write keys."""
    with warehouse.connect(settings) as connection:
        found = [
            asdict(one) | {"allowed_origins": key_origins(connection, one.app_id, "write")}
            for one in apps.list_apps(connection)
        ]
    print_rows(found, SHOWN, as_json=as_json)


@app.command()
@click.argument("app_id")
@click.option("--name", help="A new name; the id stays.")
@click.option("--owner", "owner_id", help="Whoever answers for it.")
@click.option("--time-zone", help="A new IANA time zone; all its numbers are computed anew.")
@click.option("--week-start", type=int, help="1 Monday to 7 Sunday; its weeks are computed anew.")
@click.option("--retention-days", type=int, help="0 is for ever.")
@click.option("--events-per-second", type=int, help="What the gateway takes before it answers 429; 0 is no limit.")
@origin_option
@json_option
@click.pass_obj
def update(settings: Settings, /, app_id: str, allowed_origins: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Change an app; services follow within 30 s.

    Example: eventmill app update shop --events-per-second 500 --allow-origin https://shop.example
    """
    changes = {name: value for name, value in options.items() if value is not None}
    origins = origins_of(allowed_origins)
    if not changes and origins is None:
        raise click.UsageError("Name at least one thing to change.")
    with warehouse.connect(settings) as connection:
        changed = asdict(apps.update_app(connection, app_id, **changes))
        if origins is not None:
            changed["allowed_origins"] = set_origins(connection, app_id, origins)
    if "time_zone" in changes:
        click.echo("Its numbers are computed anew now; until then they are missing.", err=True)
    print_fields(changed, as_json=as_json)


@app.command("rotate-key")
@click.argument("app_id")
@click.option("--kind", type=click.Choice(get_args(KeyKind)), default="write", show_default=True, help="Which key.")
@click.option(
    "--grace-hours", type=click.FloatRange(0, 2160), default=0.0, help="How long the old one goes on working."
)
@people_option
@origin_option
@json_option
@click.pass_obj
def rotate_key(
    settings: Settings, /, app_id: str, kind: KeyKind, allowed_origins: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Revoke the keys of a kind and print a new one; services forget the old one within 30 s. It keeps its origins.

    Example: eventmill app rotate-key shop --kind write --grace-hours 24 --json
    """
    with warehouse.connect(settings) as connection:
        key = apps.rotate_key(
            connection,
            app_id,
            kind,
            allowed_origins=origins_of(allowed_origins),
            may_see_people=options["people"],
            grace=timedelta(hours=options["grace_hours"]),
        )
    print_fields({"app_id": app_id, f"{kind}_key": key}, as_json=as_json)


for command in key_commands.COMMANDS:
    app.add_command(command)


@app.command("nats-key")
@click.argument("app_id")
@click.option("--replace", is_flag=True, help="Revoke the app's earlier NATS keys.")
@json_option
@click.pass_obj
def nats_key(settings: Settings, app_id: str, replace: bool, as_json: bool) -> None:
    """Print a new nkey that may publish to the app's subject at the embedded NATS server, and nothing else.

    It cannot be shown again. docs/nats.md says how to publish with it, and how to do the same on other servers.

    Example: eventmill app nats-key shop --json
    """
    with warehouse.connect(settings) as connection:
        apps.get_app(connection, app_id)
    key = asyncio.run(create_key(settings, app_id, replace=replace))
    if not key.active:
        click.echo("The broker does not run; the key is in force from its next start on.", err=True)
    print_fields(asdict(key), as_json=as_json)


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
