"""How a question is said: as a question of version 2, as an older request, as a GraphQL field, as SQL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

TRANSPORTS = ("rest", "graphql", "websocket", "flight", "marts")
Cell = str | float | None
Cells = list[tuple[Cell, ...]]
# What one value of a dimension is called in the marts, and what is not.
VALUE = "case dimension_kind when 'value' then dimension else '(' || dimension_kind || ')' end"


@dataclass(frozen=True)
class V2:
    """The JSON of POST /api/v2/query, which GraphQL's `query` and subscriptions take as it is."""

    asked: Mapping[str, Any]

    transports = ("rest", "graphql", "websocket")


@dataclass(frozen=True)
class Get:
    """An older endpoint, and which columns of its rows are meant."""

    path: str
    columns: Sequence[str]
    parameters: Mapping[str, str] = field(default_factory=dict)

    transports = ("rest",)


@dataclass(frozen=True)
class Post:
    """An endpoint that takes a definition."""

    path: str
    columns: Sequence[str]
    body: Mapping[str, Any]

    transports = ("rest",)


@dataclass(frozen=True)
class Field:
    """A field of GraphQL with its arguments; `columns` are what is selected."""

    call: str
    columns: Sequence[str]

    transports = ("graphql",)


@dataclass(frozen=True)
class Sql:
    """A statement in which {daily_stats} is an app's rows of the mart, and {value} a dimension's value.

    `is_by_hour`: its first columns are date, hour and offset in minutes.
    """

    text: str
    is_by_hour: bool = False
    transports: Sequence[str] = ("flight", "marts")

    def on_views(self) -> str:
        """The statement over Flight's views, which show the key's app alone."""
        return re.sub(r"\{(\w+)\}", r"va_\1", self.text.replace("{value}", VALUE))

    def on_marts(self, app_id: str) -> str:
        """The statement over the marts."""
        own = rf"(select * from marts.\1 where app_id = '{app_id}') as \1"
        return re.sub(r"\{(\w+)\}", own, self.text.replace("{value}", VALUE))

    def cells(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Its rows with the period in one column."""
        if not self.is_by_hour:
            return [list(row) for row in rows]
        return [[f"{day} {hour:02}h {offset:+}", *rest] for day, hour, offset, *rest in rows]


Way = V2 | Get | Post | Field | Sql


@dataclass(frozen=True)
class Question:
    """`ways` to ask it, and for each transport without one the reason (`lacks`).

    `in_order`: the order of the rows is part of the answer. `in_pages`: all pages are asked for, by their cursors.
    `is_empty`: there must be nothing. `shows`: periods or values that have to be among the cells.
    """

    name: str
    ways: Sequence[Way]
    lacks: Mapping[str, str] = field(default_factory=dict)
    app_id: str = "york"
    in_order: bool = False
    in_pages: bool = False
    is_empty: bool = False
    shows: Sequence[str] = ()


def cells(question: Question, rows: Sequence[Sequence[Any]]) -> Cells:
    """Rows as they are compared: periods that nothing happened in are left out, as the marts have no rows of them."""
    found = [tuple(_cell(value) for value in row) for row in rows]
    kept = [row for row in found if any(isinstance(value, float) and value for value in row)]
    return kept if question.in_order else sorted(kept, key=str)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return round(float(value), 2)
    if isinstance(value, datetime):
        value = value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def period(text: str, *, is_hour: bool) -> str:
    """A timestamp as the period that it begins: a day, or an hour with its offset in minutes."""
    at = datetime.fromisoformat(text)
    offset = at.utcoffset()
    assert offset is not None, text
    return f"{at:%Y-%m-%d %H}h {offset.total_seconds() / 60:+.0f}" if is_hour else f"{at:%Y-%m-%d}"


def cells_of_v2(asked: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Period, values of the dimensions, metrics, and those of the earlier range where there is one."""
    found = []
    for row in rows:
        own: list[Any] = []
        if asked.get("granularity"):
            own.append(period(row["timestamp"], is_hour=asked["granularity"] == "hour"))
        own += [_value(row, name) for name in asked.get("dimensions", ())]
        own += [row[name] for name in asked["metrics"]]
        if "compare" in asked:
            own += [(row["previous"] or {}).get(name) for name in asked["metrics"]]
        found.append(own)
    return found


def _value(row: Mapping[str, Any], dimension: str) -> str:
    if row.get("is_other"):
        return "(other)"
    return "(not_set)" if row[dimension] is None else str(row[dimension])


def columns_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, is_hour: bool = False) -> list[list[Any]]:
    """Columns of rows; `name?` may be not set."""
    found = []
    for row in rows:
        own = [row[name.rstrip("?")] for name in columns]
        own = [
            "(not_set)" if value is None and "?" in name else value for value, name in zip(own, columns, strict=True)
        ]
        found.append([period(one, is_hour=is_hour) if _is_instant(one) else one for one in own])
    return found


def _is_instant(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) is not None
