"""The commands that `eventmill goal`, `cohort` and `funnel` share."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from eventmill import warehouse
from eventmill.cli.output import app_option, json_option, print_fields, print_rows
from eventmill.control import definitions
from eventmill.control.definitions import Kind, Saved
from eventmill.errors import DefinitionError
from eventmill.settings import Settings

file_option = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file with the whole definition (docs/definitions.md), instead of options.",
)
identifier_option = click.option("--identifier", help="Short name for addresses; made from NAME by default.")


def filter_options(command: Any) -> Any:
    """The options that make an event filter."""
    example = 'Condition that they meet, as ["is", "properties.plan", ["pro"]]; may be repeated.'
    command = click.option("--filter", multiple=True, metavar="JSON", type=Json(), help=example)(command)
    command = click.option("--event-name", help="Name of the events.")(command)
    return click.option("--event-type", help="Type of the events.")(command)


class Json(click.ParamType[Any]):
    """A value given as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Decode it; click names the option where it is none."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:
            self.fail(f"no JSON: {error}", param, ctx)


def filter_of(event_type: str | None, event_name: str | None, conditions: tuple[Any, ...]) -> dict[str, Any]:
    """The JSON of an event filter, without what was not given."""
    given = {"event_type": event_type, "event_name": event_name, "filters": list(conditions) or None}
    return {name: value for name, value in given.items() if value is not None}


def step_of(given: str) -> Any:
    """A step of a funnel: an event type, or the JSON of a filter. Raises click's error for JSON that is none."""
    return Json().convert(given, None, None) if given.startswith("{") else {"event_type": given}


def definition_of(file: Path | None, options: dict[str, Any]) -> Any:
    """The definition in the file, or that of the options: those that are None, empty or false were not given."""
    given = {name: value for name, value in options.items() if not _is_absent(value)}
    if (file is None) is not bool(given):
        raise click.UsageError("Give either --file or options that define it.")
    if file is None:
        return given
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DefinitionError(str(file), f"must hold JSON ({error})") from None


def _is_absent(value: Any) -> bool:
    return value is None or value is False or value in ({}, [])


def create(
    settings: Settings, kind: Kind, app_id: str, name: str, identifier: str | None, definition: Any, *, as_json: bool
) -> None:
    """Store a definition and print it."""
    with warehouse.connect(settings) as connection:
        saved = definitions.create(connection, kind, app_id, name, definition, identifier)
    print_fields(asdict(saved), as_json=as_json)


def add_commands(group: click.Group, kind: Kind) -> None:
    """Give `group` the commands list, show and delete."""

    @group.command("list", help=f"List an app's {kind.name}s.\n\nExample: eventmill {kind.name} list --app shop")
    @app_option
    @json_option
    @click.pass_obj
    def list_(settings: Settings, app_id: str, as_json: bool) -> None:
        with warehouse.connect(settings) as connection:
            rows = [asdict(one) for one in definitions.list_all(connection, kind, app_id)]
        print_rows(rows, ("identifier", "name", "created_at"), as_json=as_json)

    @group.command(
        help=f"Show one {kind.name} by its id, identifier or name.\n\n"
        f"Example: eventmill {kind.name} show --app shop checkout"
    )
    @app_option
    @click.argument("reference")
    @json_option
    @click.pass_obj
    def show(settings: Settings, app_id: str, reference: str, as_json: bool) -> None:
        with warehouse.connect(settings) as connection:
            saved: Saved = definitions.get(connection, kind, app_id, reference)
        print_fields(asdict(saved), as_json=as_json)

    @group.command(
        help=f"Delete a {kind.name}, by its id, identifier or name, and its numbers.\n\n"
        f"Example: eventmill {kind.name} delete --app shop checkout"
    )
    @app_option
    @click.argument("reference")
    @json_option
    @click.pass_obj
    def delete(settings: Settings, app_id: str, reference: str, as_json: bool) -> None:
        with warehouse.connect(settings) as connection:
            saved = definitions.delete(connection, kind, app_id, reference)
        print_fields({"app_id": app_id, "id": saved.id, "name": saved.name, "deleted": True}, as_json=as_json)
