"""Turns the rows of a statement on the rollups into cells: one for each bucket and value, with every measure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from eventmill.analysis.filters import Op
from query_service.query.periods import place_of
from query_service.query.planner import PAIRS, TOTAL, Part
from query_service.query.rollup_parts import AMOUNT, CURRENCY, PLACES, traffic_of
from query_service.query.spec import QuerySpec

Raw = Sequence[Any]
Values = tuple[str | None, ...]
# Revenue by currency, beside a row's measures.
AMOUNTS = "revenue_by_currency"


class TooCoarse(Exception):  # noqa: N818 - it reads as what it is
    """The rollups keep the 1,000 largest values of a period, and the question is about what lies beyond them."""


class Key(NamedTuple):
    """A row of an answer: its bucket, by number, and the values of its dimensions."""

    bucket: int
    values: Values
    is_other: bool = False


@dataclass(slots=True)
class Cells:
    """Measures by row; that of revenue stands by currency, too, under AMOUNTS. `currencies` are all that there are."""

    rows: dict[Key, dict[str, Any]] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    # Where values beyond the kept ones were left together: rollup, bucket and traffic.
    _others: set[tuple[str, int, str]] = field(default_factory=set)

    def add(self, spec: QuerySpec, part: Part, rows: Iterable[Raw]) -> None:
        """Take in the rows of one part. Raises TooCoarse."""
        place, columns = _bucket_places(part), _columns(spec, part)
        for raw in rows:
            bucket = place(raw[1])
            _, _, traffic, kind, value, *_ = raw
            if kind == "other":
                self._others.add((part.rollup.name, bucket, traffic))
                if spec.filters or part.is_added_up:
                    continue
            values = _values(spec, part, kind, value)
            if values is not None:
                cell = self.rows.setdefault(Key(bucket, values, kind == "other"), {})
                for name, column in columns[traffic]:
                    cell[name] = cell.get(name, 0) + raw[column]
                if raw[CURRENCY] is not None:
                    self._add_amount(cell, raw[CURRENCY], raw[AMOUNT])

    def _add_amount(self, cell: dict[str, Any], currency: str, amount: Decimal) -> None:
        self.currencies.add(currency)
        amounts = cell.setdefault(AMOUNTS, {})
        amounts[currency] = amounts.get(currency, 0) + amount

    def finish(self, spec: QuerySpec, parts: Sequence[Part]) -> None:
        """Fill in what has no row: 0, or None where it may lie among the values left together. Raises TooCoarse."""
        for part in parts:
            self._check(spec, part)
        for key, cell in self.rows.items():
            for part in parts:
                for measure in part.measures:
                    if measure.name not in cell:
                        traffic = traffic_of(spec, measure.is_of_all)
                        is_hidden = (part.rollup.name, key.bucket, traffic) in self._others and _can_hide(key)
                        cell[measure.name] = None if is_hidden else 0
        if len(self.currencies) > 1:
            for cell in self.rows.values():
                cell["revenue"] = None

    def _check(self, spec: QuerySpec, part: Part) -> None:
        hidden = {(bucket, traffic) for rollup, bucket, traffic in self._others if rollup == part.rollup.name}
        if not hidden:
            return
        if part.is_added_up or part.dimension in PAIRS:
            raise TooCoarse
        if not spec.filters:
            return
        for measure in part.measures:
            traffic = traffic_of(spec, measure.is_of_all)
            found = {key.bucket for key, cell in self.rows.items() if measure.name in cell}
            if any(bucket not in found for bucket, of in hidden if of == traffic):
                raise TooCoarse


def _can_hide(key: Key) -> bool:
    """A value may lie among those beyond the kept ones; what is not set, or lies beyond itself, may not."""
    return not key.is_other and any(value is not None for value in key.values)


def _columns(spec: QuerySpec, part: Part) -> Mapping[str, list[tuple[str, int]]]:
    """By traffic the measures that are read from its rows, and where their columns lie."""
    columns: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for measure in part.measures:
        place = PLACES[part.rollup.name][measure.column]
        columns[traffic_of(spec, measure.is_of_all)].append((measure.name, place))
    return columns


def _bucket_places(part: Part) -> Any:
    if part.is_added_up:
        return lambda start: place_of(start, part.buckets)
    places: dict[datetime, int] = {start: number for number, start in enumerate(part.buckets)}
    return places.__getitem__


def _values(spec: QuerySpec, part: Part, kind: str, value: str) -> Values | None:
    """The values of the question's dimensions in a row; None where a filter leaves the row out."""
    if part.dimension == TOTAL:
        return ()
    if part.dimension not in PAIRS:
        return ((value if kind == "value" else None),) if spec.dimensions else ()
    fields = PAIRS[part.dimension]
    pair = dict(zip(fields, json.loads(value) if kind == "value" else (None,) * len(fields), strict=True))
    for condition in spec.filters:
        if pair[condition.field] != (None if condition.op == Op.IS_NOT_SET else condition.values[0]):
            return None
    return tuple(pair[name] for name in spec.dimensions)
