"""`eventmill app keys|create-key|revoke-key|revoke-sign-ins`: an app's keys one by one."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import get_args

import click

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.control import keys, web_sessions
from eventmill.control.credentials import KeyKind
from eventmill.settings import Settings

SHOWN = ("prefix", "kind", "name", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")

people_option = click.option("--people", is_flag=True, help="Let a read key see single persons.")


@click.command("keys")
@click.argument("app_id")
@json_option
@click.pass_obj
def list_keys(settings: Settings, app_id: str, as_json: bool) -> None:
    """List an app's keys, without their secrets.

    Example: eventmill app keys shop
    """
    with warehouse.connect(settings) as connection:
        rows = [asdict(one) for one in keys.list_keys(connection, app_id)]
    print_rows(rows, SHOWN, as_json=as_json)


@click.command("create-key")
@click.argument("app_id")
@click.option("--kind", type=click.Choice(get_args(KeyKind)), default="read", show_default=True, help="What it may.")
@click.option("--name", default="", help="What people call it.")
@people_option
@click.option("--expires-days", type=click.FloatRange(0, 3660, min_open=True), help="When it ends; never by default.")
@json_option
@click.pass_obj
def create_key(
    settings: Settings, app_id: str, kind: str, name: str, people: bool, expires_days: float | None, as_json: bool
) -> None:
    """Print a new key beside those that there are; it cannot be shown again.

    Example: eventmill app create-key shop --kind read --people --name "support desk" --expires-days 90
    """
    ends = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    with warehouse.connect(settings) as connection:
        made = keys.create_key(connection, app_id, kind, name=name, may_see_people=people, expires_at=ends)
    print_fields({"app_id": app_id, "key": made.key} | asdict(made.found), as_json=as_json)


@click.command("revoke-key")
@click.argument("app_id")
@click.argument("key")
@json_option
@click.pass_obj
def revoke_key(settings: Settings, app_id: str, key: str, as_json: bool) -> None:
    """Revoke the key of that id or prefix; services forget it within 30 s.

    Example: eventmill app revoke-key shop k3v9x1ab
    """
    with warehouse.connect(settings) as connection:
        found = keys.revoke(connection, app_id, key)
    print_fields({"app_id": app_id, "prefix": found.prefix, "revoked": True}, as_json=as_json)


@click.command("revoke-sign-ins")
@click.argument("subject")
@json_option
@click.pass_obj
def revoke_sign_ins(settings: Settings, subject: str, as_json: bool) -> None:
    """End the sessions of an OpenID Connect subject (`sub`), and refuse tokens that it was issued until now.

    Example: eventmill app revoke-sign-ins 248289761001
    """
    with warehouse.connect(settings) as connection:
        ended = web_sessions.revoke_subject(connection, subject)
    print_fields({"subject": subject, "sessions_ended": ended}, as_json=as_json)


COMMANDS = (list_keys, create_key, revoke_key, revoke_sign_ins)
