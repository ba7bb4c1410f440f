"""What commands print: fields and rows, for people or as JSON."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

SENTENCES = frozenset({"message"})
# A narrower terminal breaks lines itself; rich would cut what does not fit.
MIN_WIDTH = 140

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
app_option = click.option("--app", "app_id", required=True, metavar="APP", help="The app's id.")


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a line a field."""
    if as_json:
        click.echo(json.dumps(fields, default=str))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {visible(value)}")


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Many things of one kind as a table of `columns`; all of their fields as JSON."""
    if as_json:
        click.echo(json.dumps(list(rows), default=str, indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        # Ids and times are there to be copied; a sentence may take several lines.
        table.add_column(name, no_wrap=name not in SENTENCES, overflow="fold")
    for row in rows:
        # Text, never markup: what a client sent is shown and not interpreted.
        table.add_row(*(Text(visible(row[name])) for name in columns))
    Console(highlight=False, width=max(shutil.get_terminal_size().columns, MIN_WIDTH)).print(table)


def visible(value: object) -> str:
    """A value for a terminal: what could move its cursor or change its colours is escaped; None is empty."""
    text = _text(value)
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(timespec="seconds")
        case list() | tuple() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
        case list() | tuple() | dict():
            return json.dumps(value, default=str, ensure_ascii=False)
        case _:
            return str(value)
