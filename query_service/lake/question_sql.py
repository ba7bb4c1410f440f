"""The statement of a question about the lake: parts that count some of its measures each, put together into rows.

A part is a query of `bucket` (number of the period; only with a granularity), `d0`, `d1`, … (values of the dimensions)
and one column for each of its measures. Rows come with the same columns, in the question's order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eventmill.analysis.filter_sql import field_text, to_sql
from eventmill.analysis.filters import TEXT_FIELDS, Condition, EventFilter, Op
from query_service.lake.jobs import Statement, Value
from query_service.query.catalog import RATIOS
from query_service.query.spec import TIMESTAMP, QuerySpec

VIEWS = ("page_view", "screen_view")
Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """SQL with its values in the order of the question marks, and the measures that it counts."""

    sql: str
    values: tuple[Value, ...]
    measures: tuple[str, ...]


def statement(spec: QuerySpec, parts: Sequence[Part], only: Sequence[Row] | None = None) -> Statement:
    """Rows of a question: one page of them, and one more where there are more; or those of the values in `only`."""
    keys = key_columns(spec)
    united = " union all by name ".join(f"({part.sql})" for part in parts)
    columns = [*keys, *(f"coalesce(max({name}), 0) as {name}" for part in parts for name in part.measures)]
    restriction, bound = _restriction(spec, only)
    sql = f"select {', '.join(columns)} from ({united}){restriction}"
    if keys:
        sql += f" group by {', '.join(keys)}"
    sql += f" order by {', '.join(_orders(spec))}" if _orders(spec) else ""
    if only is None:
        sql += f" limit {spec.limit + 1} offset {spec.offset}"
    return Statement(sql, (*(value for part in parts for value in part.values), *bound))


def key_columns(spec: QuerySpec) -> list[str]:
    """Columns that tell rows apart."""
    return [*(["bucket"] if spec.granularity else []), *dimension_columns(spec)]


def dimension_columns(spec: QuerySpec) -> list[str]:
    """`d0`, `d1`, …"""
    return [f"d{number}" for number in range(len(spec.dimensions))]


def where(conditions: Sequence[Condition]) -> tuple[str, list[Value]]:
    """Conditions that all hold, for a where clause, where unknown is as good as false."""
    parts: list[str] = []
    values: list[Value] = []
    for condition in conditions:
        if _is_plain(condition):
            parts.append(f"{condition.field} in ({', '.join('?' * len(condition.values))})")
            values += condition.values
        else:
            sql, bound = to_sql(EventFilter(filters=(condition,)))
            parts.append(sql)
            values += bound
    return " and ".join(parts) or "true", values


def _is_plain(condition: Condition) -> bool:
    """Whether a comparison is one that the reader of the files can make."""
    is_text = all(isinstance(value, str) for value in condition.values)
    return condition.op is Op.IS and condition.field in TEXT_FIELDS and is_text


def texts(spec: QuerySpec) -> tuple[list[str], list[Value]]:
    """The dimensions' values as `d0`, `d1`, …, of rows with the columns of the lake."""
    found: list[str] = []
    values: list[Value] = []
    for number, name in enumerate(spec.dimensions):
        sql, path = field_text(name)
        found.append(f"{sql} as d{number}")
        values += path
    return found, values


def _restriction(spec: QuerySpec, only: Sequence[Row] | None) -> tuple[str, list[Value]]:
    if only is None or not spec.dimensions:
        return "", []
    if not only:
        return " where false", []
    one = " and ".join(f"{name} is not distinct from ?" for name in dimension_columns(spec))
    return f" where {' or '.join([f'({one})'] * len(only))}", [value for row in only for value in row]


def _orders(spec: QuerySpec) -> list[str]:
    columns = {TIMESTAMP: "bucket", **dict(zip(spec.dimensions, dimension_columns(spec), strict=True))}
    orders = []
    for name, direction in spec.order_by:
        ratio = RATIOS.get(name)
        column = f"{_sum(ratio.numerator)} / nullif({_sum(ratio.denominator)}, 0)" if ratio else columns.get(name)
        orders.append(f"{column or _sum(name)} {direction} nulls last")
    return orders if key_columns(spec) else []


def _sum(measure: str) -> str:
    return f"coalesce(max({measure}), 0)"
