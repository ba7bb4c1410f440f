"""What Flight SQL clients ask about us: catalogues, schemas, views and their columns, abilities."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from eventmill import __version__
from query_service.flight.allowed import CATALOG, SCHEMA
from query_service.flight.arrow_types import schema_of
from query_service.flight.postgres import Columns

TABLE_TYPE = "VIEW"
_CATALOGS = pa.schema([pa.field("catalog_name", pa.string(), nullable=False)])
_SCHEMAS = pa.schema([pa.field("catalog_name", pa.string()), pa.field("db_schema_name", pa.string(), nullable=False)])
_TABLES = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("table_type", pa.string(), nullable=False),
    ]
)
_TABLE_SCHEMA = pa.field("table_schema", pa.binary(), nullable=False)
_TABLE_TYPES = pa.schema([pa.field("table_type", pa.string(), nullable=False)])
# SqlInfo of FlightSql.proto: name, version, Arrow's version, read only, SQL, Substrait, no transactions, no cancel,
# quote of identifiers.
_INFO: dict[int, Any] = {
    0: "eventmill",
    1: __version__,
    2: pa.__version__,
    3: True,
    4: True,
    5: False,
    8: 0,
    9: False,
    504: '"',
}
_INFO_KINDS = [
    pa.field("string_value", pa.string()),
    pa.field("bool_value", pa.bool_()),
    pa.field("bigint_value", pa.int64()),
    pa.field("int32_bitmask", pa.int32()),
    pa.field("string_list", pa.list_(pa.string())),
    pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
]
_INFO_SCHEMA = pa.schema(
    [pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", pa.dense_union(_INFO_KINDS), nullable=False)]
)


def answer(name: str, command: Any, views: Callable[[], Columns]) -> pa.Table | None:
    """The table that answers a metadata command; None for any other command."""
    match name:
        case "CommandGetCatalogs":
            return pa.table([[CATALOG]], schema=_CATALOGS)
        case "CommandGetDbSchemas":
            is_asked = _matches_schema(command)
            return pa.table([[CATALOG] * is_asked, [SCHEMA] * is_asked], schema=_SCHEMAS)
        case "CommandGetTables":
            return _tables(command, views())
        case "CommandGetTableTypes":
            return pa.table([[TABLE_TYPE]], schema=_TABLE_TYPES)
        case "CommandGetSqlInfo":
            return _sql_info(list(command.info))
    return None


def schema_of_answer(name: str, command: Any) -> pa.Schema | None:
    """The schema of `answer`, for which nobody has to be asked."""
    table = answer(name, command, dict)
    return None if table is None else table.schema


def _tables(command: Any, views: Columns) -> pa.Table:
    is_asked = _matches_schema(command) and (not command.table_types or TABLE_TYPE in command.table_types)
    pattern = command.table_name_filter_pattern if command.HasField("table_name_filter_pattern") else "%"
    names = [name for name in views if is_asked and _like(name, pattern)]
    columns: list[Any] = [[CATALOG] * len(names), [SCHEMA] * len(names), names, [TABLE_TYPE] * len(names)]
    schema = _TABLES
    if command.include_schema:
        columns.append([schema_of(views[name]).serialize().to_pybytes() for name in names])
        schema = schema.append(_TABLE_SCHEMA)
    return pa.table(columns, schema=schema)


def _matches_schema(command: Any) -> bool:
    if command.HasField("catalog") and command.catalog != CATALOG:
        return False
    return not command.HasField("db_schema_filter_pattern") or _like(SCHEMA, command.db_schema_filter_pattern)


def _like(name: str, pattern: str) -> bool:
    """SQL's LIKE."""
    translated = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(translated, name) is not None


def _sql_info(asked: list[int]) -> pa.Table:
    numbers = [number for number in asked or _INFO if number in _INFO]
    kinds, offsets = [], []
    values: list[list[Any]] = [[] for _ in _INFO_KINDS]
    for number in numbers:
        value = _INFO[number]
        kind = 0 if isinstance(value, str) else 1 if isinstance(value, bool) else 3
        kinds.append(kind)
        offsets.append(len(values[kind]))
        values[kind].append(value)
    union = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(content, field.type) for content, field in zip(values, _INFO_KINDS, strict=True)],
        [field.name for field in _INFO_KINDS],
    )
    return pa.table([pa.array(numbers, pa.uint32()), union], schema=_INFO_SCHEMA)
