"""What commands print: fields and rows, for people or as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
app_option = click.option("--app", "app_id", required=True, metavar="APP", help="The app's id.")


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a line a field."""
    if as_json:
        click.echo(json.dumps(fields, default=str))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Many things of one kind as a table of `columns`; all of their fields as JSON."""
    if as_json:
        click.echo(json.dumps(list(rows), default=str, indent=2))
        return
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        # Text, never markup: what a client sent is shown and not interpreted.
        table.add_row(*(Text("" if row[name] is None else str(row[name])) for name in columns))
    Console(highlight=False).print(table)
