"""PostgreSQL's types → Arrow's."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from query_service.flight.refusals import Refused

_NUMERIC = 1700
# A double keeps every numeric of so many digits as it is.
_DIGITS_OF_A_DOUBLE = 15
_MAX_DIGITS = 38
_TYPES = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    114: pa.string(),
    700: pa.float32(),
    701: pa.float64(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
    1186: pa.month_day_nano_interval(),
    3802: pa.string(),
}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column as PostgreSQL describes it: the number of its type, and -1 or what modifies the type."""

    name: str
    oid: int
    modifier: int


def schema_of(columns: list[ColumnType]) -> pa.Schema:
    """The Arrow schema of a result. Raises Refused for a type that has none here, such as a whole row."""
    return pa.schema([pa.field(column.name, _type_of(column)) for column in columns])


def type_of_parameter(oid: int) -> pa.DataType:
    """The Arrow type of a parameter; texts for whatever has no better one."""
    return pa.float64() if oid == _NUMERIC else _TYPES.get(oid, pa.string())


def _type_of(column: ColumnType) -> pa.DataType:
    """Numerics that a double keeps are doubles, as those without a precision (sums, averages); others are decimals."""
    if column.oid != _NUMERIC:
        if column.oid not in _TYPES:
            raise Refused(f"The column {column.name[:60]!r} is of a type that cannot be returned: cast it to text.")
        return _TYPES[column.oid]
    precision, scale = (column.modifier - 4) >> 16, (column.modifier - 4) & 0xFFFF
    if column.modifier < 0 or precision <= _DIGITS_OF_A_DOUBLE or precision > _MAX_DIGITS or scale > precision:
        return pa.float64()
    return pa.decimal128(precision, scale)


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch of PostgreSQL's driver, whose numerics and JSON are texts, in the promised types."""
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    stored = column.storage if isinstance(column.type, pa.BaseExtensionType) else column
    return stored if stored.type == wanted else pc.cast(stored, wanted)
