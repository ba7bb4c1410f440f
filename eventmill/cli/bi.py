"""`eventmill bi`: roles that BI tools sign in to Postgres as."""

import sys
from dataclasses import asdict

import click
from psycopg.conninfo import conninfo_to_dict

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.control import bi_roles
from eventmill.settings import Settings


@click.group()
def bi() -> None:
    """Let BI tools read the marts, of one app or of every app."""


@bi.command()
@click.option("--app", "app_ids", multiple=True, metavar="APP", help="An app that the role sees; repeatable.")
@click.option("--all-apps", is_flag=True, help="The role sees every app, those to come too.")
@click.option("--name", metavar="ROLE", help="The role's name; bi_APP by default.")
@click.option("--password-stdin", is_flag=True, help="Take the password from standard input; made up by default.")
@click.option("--revoke", is_flag=True, help="Take the apps away again; with its last app the role goes.")
@json_option
@click.pass_obj
def grant(
    settings: Settings,
    app_ids: tuple[str, ...],
    all_apps: bool,
    name: str | None,
    password_stdin: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    """Make a role that reads the marts of these apps and nothing else, and print how to sign in.

    The password is shown once; granted again, the role gets a new one. Example: eventmill bi grant --app shop --json
    """
    if bool(app_ids) == all_apps:
        raise click.UsageError("Name the apps with --app, or give --all-apps.")
    apps = None if all_apps else list(app_ids)
    password = sys.stdin.readline().strip() if password_stdin else None
    if password_stdin and not password:
        raise click.UsageError("--password-stdin: standard input is empty.")
    with warehouse.connect(settings) as connection:
        if revoke:
            print_fields({"role": bi_roles.revoke(connection, apps, name), "revoked": True}, as_json=as_json)
            return
        granted = bi_roles.grant(connection, apps, name, password)
    fields = {"role": granted.role, "apps": granted.app_ids or "all"}
    if not password_stdin:
        fields["password"] = granted.password
    print_fields(fields | _address(settings), as_json=as_json)


@bi.command("list")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the roles and the apps that each sees."""
    with warehouse.connect(settings) as connection:
        found = [asdict(one) | {"app_ids": one.app_ids or "all"} for one in bi_roles.list_roles(connection)]
    print_rows(found, ("role", "app_ids", "created_at"), as_json=as_json)


def _address(settings: Settings) -> dict[str, str]:
    """Where tools connect to, without any password."""
    address = conninfo_to_dict(settings.database_address)
    return {
        "host": str(address.get("host") or "127.0.0.1"),
        "port": str(address.get("port") or 5432),
        "database": str(address.get("dbname") or address.get("user") or ""),
        "schema": "marts",
    }
