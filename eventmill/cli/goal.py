"""`eventmill goal …`: events that convert a session."""

from pathlib import Path
from typing import Any

import click

from eventmill.cli import definitions
from eventmill.cli.output import app_option, json_option
from eventmill.control.definitions import GOAL
from eventmill.settings import Settings


@click.group()
def goal() -> None:
    """Save goals: events that convert the session they lie in, counted per day.

    A new goal is counted for all days whose events are kept.
    """


@goal.command()
@app_option
@click.argument("name")
@definitions.identifier_option
@definitions.filter_options
@definitions.file_option
@json_option
@click.pass_obj
def create(
    settings: Settings,
    *,
    app_id: str,
    name: str,
    identifier: str | None,
    event_type: str | None,
    event_name: str | None,
    filter: tuple[Any, ...],  # noqa: A002 - the option's name
    file: Path | None,
    as_json: bool,
) -> None:
    """Save a goal: by options, or from a JSON file.

    Example: eventmill goal create Checkout --app shop --event-type purchase
    """
    options = {"filter": definitions.filter_of(event_type, event_name, filter)}
    definition = definitions.definition_of(file, options)
    definitions.create(settings, GOAL, app_id, name, identifier, definition, as_json=as_json)


definitions.add_commands(goal, GOAL)
