"""`eventmill funnel …`: how far people get through steps."""

from pathlib import Path
from typing import Any

import click

from eventmill.cli import definitions
from eventmill.cli.output import app_option, json_option
from eventmill.control.definitions import FUNNEL
from eventmill.settings import Settings


@click.group()
def funnel() -> None:
    """Save funnels: steps that people go through within a window. Their numbers follow within minutes."""


@funnel.command()
@app_option
@click.argument("name")
@definitions.identifier_option
@click.option("--step", "steps", multiple=True, metavar="STEP", help="An event type, or a step as JSON; in order.")
@click.option("--window", help="From the first step to the last: 30m, 24h, 7d (the default).")
@click.option("--order", help="ordered (the default), strict or any.")
@click.option("--from", "start", metavar="TIME", help="RFC 3339; first steps from here on, instead of --days.")
@click.option("--to", "end", metavar="TIME", help="RFC 3339; first steps before it.")
@click.option("--days", type=int, help="First steps of the last days, today included; 30 by default.")
@click.option("--breakdown", help="A field whose values at the first step get rows of their own.")
@click.option("--count-by", help="actor (the default) or session.")
@click.option("--include-bots", is_flag=True, help="Bots count as people.")
@definitions.file_option
@json_option
@click.pass_obj
def create(
    settings: Settings,
    /,
    *,
    app_id: str,
    name: str,
    identifier: str | None,
    steps: tuple[str, ...],
    start: str | None,
    end: str | None,
    file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Save a funnel: by options, or from a JSON file, which can exclude events too.

    Example: eventmill funnel create Checkout --app shop --step page_view --step purchase --window 24h
    """
    options |= {"steps": [definitions.step_of(step) for step in steps], "from": start, "to": end}
    definition = definitions.definition_of(file, options)
    definitions.create(settings, FUNNEL, app_id, name, identifier, definition, as_json=as_json)


definitions.add_commands(funnel, FUNNEL)
