"""Makes an answer's rows of measures: every period, ratios, order, page, and the comparison beside each row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from query_service.query import numbers
from query_service.query.periods import place_of
from query_service.query.rollup_rows import AMOUNTS, Cells, Values
from query_service.query.sources import Row
from query_service.query.spec import TIMESTAMP, QuerySpec

IS_OTHER = "is_other"
REVENUE = "revenue"


class Line(NamedTuple):
    """One row before it is written down: its bucket by number, values of the dimensions, measures."""

    bucket: int
    values: Values
    is_other: bool
    measures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Lines about a range. `is_ordered`: they are in the question's order already, and only its page.

    `currencies` are those that its revenue was counted in.
    """

    buckets: tuple[datetime, ...]
    lines: Sequence[Line]
    is_ordered: bool = False
    currencies: frozenset[str] = frozenset()


def of_cells(spec: QuerySpec, cells: Cells, now: datetime) -> Table:
    """The table of what the rollups answered."""
    lines = (Line(key.bucket, key.values, key.is_other, cell) for key, cell in cells.rows.items())
    return replace(_table(spec, lines, now, is_ordered=False), currencies=frozenset(cells.currencies))


def of_rows(spec: QuerySpec, rows: Iterable[Row], now: datetime) -> Table:
    """The table of what the lake or the live window answered."""
    buckets = spec.buckets
    lines = (
        Line(
            place_of(row[TIMESTAMP], buckets) if spec.granularity else 0,
            tuple(row[name] for name in spec.dimensions),
            bool(row.get(IS_OTHER)),
            row,
        )
        for row in rows
    )
    return _table(spec, lines, now, is_ordered=True)


def written(spec: QuerySpec, table: Table, before: Table | None) -> tuple[list[dict[str, Any]], bool]:
    """The rows of the question's page, and whether there are more."""
    lines = _page(spec, table)
    stamps = _stamps(table.buckets, spec.tenant.time_zone) if spec.granularity else ()
    currencies = _currencies(spec, table, before)
    rows = []
    for line in lines[: spec.limit]:
        row: dict[str, Any] = {TIMESTAMP: stamps[line.bucket]} if spec.granularity else {}
        if spec.dimensions:
            row |= zip(spec.dimensions, line.values, strict=True)
        if line.is_other:
            row[IS_OTHER] = True
        row |= _numbers(spec, line.measures, currencies)
        rows.append(row)
    if before is not None:
        _compare(spec, list(zip(lines, rows, strict=False)), before, currencies)
    return rows, len(lines) > spec.limit


def values_of(spec: QuerySpec, found: Table) -> list[Values]:
    """The values of the dimensions on the question's page, each combination once."""
    return list(dict.fromkeys(line.values for line in _page(spec, found)[: spec.limit] if not line.is_other))


@lru_cache(maxsize=512)
def _stamps(buckets: tuple[datetime, ...], zone: ZoneInfo) -> tuple[str, ...]:
    """Starts as an answer writes them."""
    return tuple(at.astimezone(zone).isoformat() for at in buckets)


def _table(spec: QuerySpec, lines: Iterable[Line], now: datetime, *, is_ordered: bool) -> Table:
    buckets = spec.buckets
    if spec.dimensions:
        return Table(buckets, list(lines), is_ordered)
    found = {line.bucket: line for line in lines}
    nothing = {measure.name: 0 for measure in spec.measures}
    unknown: Mapping[str, Any] = dict.fromkeys(nothing)
    every = [
        found.get(number) or Line(number, (), False, unknown if start > now else nothing)
        for number, start in enumerate(buckets)
    ]
    return Table(buckets, every)


def _page(spec: QuerySpec, table: Table) -> Sequence[Line]:
    if table.is_ordered:
        return table.lines
    lines = table.lines
    if spec.dimensions or spec.order_by[0] != (TIMESTAMP, "asc"):
        lines = _ordered(spec, lines)
    return lines[spec.offset : spec.offset + spec.limit + 1]


def _ordered(spec: QuerySpec, lines: Sequence[Line]) -> list[Line]:
    """By `order_by`, what is missing last; what lies beyond the kept values comes after those."""
    found = list(lines)
    for name, direction in reversed(spec.order_by):
        if name == TIMESTAMP and spec.order_by[0][0] == TIMESTAMP:
            found.sort(key=lambda line: line.is_other)
        _sort(found, _reader(spec, name), is_descending=direction == "desc")
    if not spec.granularity or spec.order_by[0][0] != TIMESTAMP:
        found.sort(key=lambda line: line.is_other)
    return found


def _sort(lines: list[Line], read: Callable[[Line], Any], *, is_descending: bool) -> None:
    known = [line for line in lines if read(line) is not None]
    missing = [line for line in lines if read(line) is None]
    known.sort(key=read, reverse=is_descending)
    lines[:] = known + missing


def _reader(spec: QuerySpec, name: str) -> Callable[[Line], Any]:
    if name == TIMESTAMP:
        return lambda line: line.bucket
    if name in spec.dimensions:
        place = spec.dimensions.index(name)
        return lambda line: line.values[place]
    return lambda line: numbers.metric(name, line.measures)


def _currencies(spec: QuerySpec, table: Table, before: Table | None) -> Sequence[str]:
    """Those that revenue stands apart in: where there are several, in the range or in the one beside it."""
    if REVENUE not in spec.metrics:
        return ()
    found = table.currencies | (frozenset() if before is None else before.currencies)
    return sorted(found) if len(found) > 1 else ()


def _numbers(spec: QuerySpec, measures: Mapping[str, Any], currencies: Sequence[str]) -> dict[str, Any]:
    """The metrics of a row by name, and revenue by currency where that stands apart."""
    found: dict[str, Any] = {name: read(measures) for name, read in numbers.readers(spec.metrics)}
    if currencies:
        # A row without amounts has no revenue, or it is not known.
        amounts = measures.get(AMOUNTS) or dict.fromkeys(currencies, measures[REVENUE])
        found[AMOUNTS] = {one: numbers.plain(amounts.get(one, 0)) for one in currencies}
    return found


def _changes(spec: QuerySpec, now: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """By how many percent each number has changed; revenue of one currency is no change of another's."""
    found: dict[str, Any] = {name: numbers.change(now[name], earlier[name]) for name in spec.metrics}
    if AMOUNTS in now:
        found[REVENUE] = None
        found[AMOUNTS] = {one: numbers.change(now[AMOUNTS][one], value) for one, value in earlier[AMOUNTS].items()}
    return found


def _compare(
    spec: QuerySpec, rows: Sequence[tuple[Line, dict[str, Any]]], before: Table, currencies: Sequence[str]
) -> None:
    """Beside each row the same position of the earlier range; null where that has none."""
    stamps = _stamps(before.buckets, spec.tenant.time_zone) if spec.granularity else ()
    found = {(line.bucket, line.values, line.is_other): line.measures for line in before.lines}
    nothing = {measure.name: 0 for measure in spec.measures}
    for line, row in rows:
        if line.bucket >= len(before.buckets):
            row |= {"previous": None, "change_percent": dict.fromkeys(spec.metrics)}
            continue
        measures = found.get((line.bucket, line.values, line.is_other), nothing)
        earlier = _numbers(spec, measures, currencies)
        stamp = {TIMESTAMP: stamps[line.bucket]} if spec.granularity else {}
        row |= {"previous": stamp | earlier, "change_percent": _changes(spec, row, earlier)}
