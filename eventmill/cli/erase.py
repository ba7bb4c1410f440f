"""`eventmill erase`: a person leaves every store."""

from typing import Any

import click

from eventmill.cli.output import app_option, json_option, print_fields
from eventmill.erasure.running import certificate_path, found_of
from eventmill.erasure.running import erase as erase_person
from eventmill.errors import EventmillError
from eventmill.settings import Settings


@click.command()
@app_option
@click.option("--user", "user_id", required=True, metavar="USER", help="The person's user_id.")
@click.option("--suppress", is_flag=True, help="Leave out the person's future events too: counted, not stored.")
@click.option("--verify", is_flag=True, help="Look through all stores again afterwards; fail if anything is left.")
@click.option("--dry-run", is_flag=True, help="Only say what the stores hold of the person.")
@json_option
@click.pass_obj
def erase(
    settings: Settings, app_id: str, user_id: str, suppress: bool, verify: bool, dry_run: bool, as_json: bool
) -> None:
    """Delete a user, and anonymous ids of that user alone, from lake, archive, quarantine and stream.

    Touched periods are computed again. Interrupted anywhere, the same command goes on. Example:
    eventmill erase --app shop --user 4711 --suppress --verify
    """
    if not user_id:
        raise EventmillError("--user: must not be empty.")
    if dry_run:
        _print({"app_id": app_id, "dry_run": True, "found": found_of(settings, app_id, user_id)}, as_json=as_json)
        return
    say = (lambda _: None) if as_json else click.echo
    certificate = erase_person(settings, app_id, user_id, is_suppressed=suppress, report=say)
    fields: dict[str, Any] = certificate | {"certificate": str(certificate_path(settings, certificate))}
    if verify:
        left = {name: count for name, count in found_of(settings, app_id, user_id).items() if count}
        fields |= {"verified": not left, "left": left}
    _print(fields, as_json=as_json)
    if fields.get("left"):
        raise EventmillError(
            "Some stores still hold the person.", "Events may have arrived meanwhile: give the command again."
        )


def _print(fields: dict[str, Any], *, as_json: bool) -> None:
    print_fields(fields, as_json=as_json)
