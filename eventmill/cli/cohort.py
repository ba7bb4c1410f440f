"""`eventmill cohort …`: people with something in common, and whether they come back."""

from pathlib import Path
from typing import Any

import click

from eventmill.analysis.cohorts import ANY_EVENT
from eventmill.cli import definitions
from eventmill.cli.output import app_option, json_option
from eventmill.control.definitions import COHORT
from eventmill.settings import Settings


@click.group()
def cohort() -> None:
    """Save cohorts: the people with events of a kind. Their number and their retention follow within minutes."""


@cohort.command()
@app_option
@click.argument("name")
@definitions.identifier_option
@definitions.filter_options
@click.option("--from", "start", metavar="DAY", help="First day of these events, YYYY-MM-DD in the app's time zone.")
@click.option("--to", "end", metavar="DAY", help="Day after the last one (exclusive).")
@click.option("--at-least", type=int, help="How many such events a person has; 1 by default.")
@click.option("--return-event-type", help="Who comes back has such an event; by default one like the first.")
@click.option("--return-any", is_flag=True, help="Who comes back has an event of any kind.")
@click.option("--include-bots", is_flag=True, help="Bots count as people.")
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
    start: str | None,
    end: str | None,
    at_least: int | None,
    return_event_type: str | None,
    return_any: bool,
    include_bots: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Save a cohort: by options, or from a JSON file.

    Example: eventmill cohort create "Signed up" --app shop --event-type signup --return-any
    """
    if return_any and return_event_type is not None:
        raise click.UsageError("Give --return-any or --return-event-type, not both.")
    return_event = ANY_EVENT if return_any else return_event_type and {"event_type": return_event_type}
    options = {
        "filter": definitions.filter_of(event_type, event_name, filter),
        "return_event": return_event,
        "from": start,
        "to": end,
        "at_least": at_least,
        "include_bots": include_bots,
    }
    definition = definitions.definition_of(file, options)
    definitions.create(settings, COHORT, app_id, name, identifier, definition, as_json=as_json)


definitions.add_commands(cohort, COHORT)
