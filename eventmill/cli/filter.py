"""`eventmill filter …`: internal traffic that an app leaves out."""

from typing import Any

import click

from eventmill import warehouse
from eventmill.cli.output import app_option, json_option, print_fields, print_rows
from eventmill.contracts.filters import FilterKind
from eventmill.control import filters
from eventmill.settings import Settings


def pattern_options(command: Any) -> Any:
    """The three ways to name a filter."""
    for kind, metavar, text in reversed(
        (
            (FilterKind.ADDRESS, "RANGE", "Client addresses: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32."),
            (FilterKind.HOST, "GLOB", "Hosts of pages: staging.*, *.internal, localhost."),
            (FilterKind.PATH, "GLOB", "Paths of pages: /admin/*."),
        )
    ):
        command = click.option(f"--{kind}", kind.value, metavar=metavar, help=text)(command)
    return command


@click.group("filter")
def filter_() -> None:
    """Leave internal traffic out: its events are counted, not stored.

    A change holds within 30 s, and for events that arrive from then on.
    """


@filter_.command()
@app_option
@pattern_options
@json_option
@click.pass_obj
def add(settings: Settings, /, app_id: str, as_json: bool, **patterns: str | None) -> None:
    """Leave out what comes from an address range, or from pages of a host or path. `*` stands for any text.

    Example: eventmill filter add --app shop --address 10.0.0.0/8
    """
    kind, pattern = _one(patterns)
    with warehouse.connect(settings) as connection:
        canonical, is_new = filters.add_filter(connection, app_id, kind, pattern)
    print_fields({"app_id": app_id, "kind": kind, "pattern": canonical, "added": is_new}, as_json=as_json)


@filter_.command("list")
@app_option
@json_option
@click.pass_obj
def list_(settings: Settings, app_id: str, as_json: bool) -> None:
    """List an app's filters.

    Example: eventmill filter list --app shop --json
    """
    with warehouse.connect(settings) as connection:
        found = filters.list_filters(connection, app_id)
    rows = [{"app_id": app_id, "kind": kind, "pattern": pattern} for kind, pattern in found]
    print_rows(rows, ("kind", "pattern"), as_json=as_json)


@filter_.command()
@app_option
@pattern_options
@json_option
@click.pass_obj
def remove(settings: Settings, /, app_id: str, as_json: bool, **patterns: str | None) -> None:
    """Take events in again that a filter leaves out.

    Example: eventmill filter remove --app shop --path '/admin/*'
    """
    kind, pattern = _one(patterns)
    with warehouse.connect(settings) as connection:
        canonical = filters.remove_filter(connection, app_id, kind, pattern)
    print_fields({"app_id": app_id, "kind": kind, "pattern": canonical, "removed": True}, as_json=as_json)


def _one(patterns: dict[str, str | None]) -> tuple[str, str]:
    given = [(kind, pattern) for kind, pattern in patterns.items() if pattern is not None]
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --address, --host and --path.")
    return given[0]
