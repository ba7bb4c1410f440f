"""An event filter as a condition in DuckDB's SQL: always true or false, never null."""

from dataclasses import replace

from eventmill.analysis.filters import (
    ID_FIELDS,
    NUMBER_FIELDS,
    PROPERTIES,
    TEXT_FIELDS,
    Condition,
    EventFilter,
    Op,
    Sql,
)

_OPPOSITES = {Op.IS_NOT: Op.IS, Op.CONTAINS_NOT: Op.CONTAINS, Op.IS_NOT_SET: Op.IS_SET}
_COLUMNS = frozenset({*TEXT_FIELDS, *NUMBER_FIELDS, *ID_FIELDS})


def to_sql(event_filter: EventFilter) -> Sql:
    """The condition and its parameters, in the order of their question marks, for rows with `actor_events`' columns."""
    parts: list[Sql] = []
    if event_filter.event_type is not None:
        parts.append(("event_type = ?", [event_filter.event_type]))
    if event_filter.event_name is not None:
        parts.append(("event_name = ?", [event_filter.event_name]))
    parts += [_condition(condition) for condition in event_filter.filters]
    joined = " and ".join(sql for sql, _ in parts)
    return f"({joined})", [value for _, values in parts for value in values]


def _condition(condition: Condition) -> Sql:
    opposite = _OPPOSITES.get(condition.op)
    if opposite is not None:
        sql, parameters = _condition(replace(condition, op=opposite))
        return f"not {sql}", parameters
    match condition.op:
        case Op.IS:
            return _any_of(condition)
        case Op.GREATER | Op.LESS:
            return _beyond(condition, ">" if condition.op == Op.GREATER else "<")
        case Op.IS_SET:
            return _is_set(condition.field)
    return _any_text(condition, condition.op.value)


def _any_of(condition: Condition) -> Sql:
    """Numbers compare as numbers; texts, and the words true and false, as texts."""
    numbers = [value for value in condition.values if isinstance(value, float)]
    texts = [_spelled(value) for value in condition.values if not isinstance(value, float)]
    parts: list[str] = []
    parameters = []
    for values, (sql, path) in ((numbers, _number(condition.field)), (texts, field_text(condition.field))):
        if values:
            parts.append(f"{sql} in ({', '.join('?' * len(values))})")
            parameters += [*path, *values]
    return f"coalesce({' or '.join(parts)}, false)", parameters


def _spelled(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _any_text(condition: Condition, function: str) -> Sql:
    """`function` is contains or starts_with: no character of the value has a meaning of its own."""
    sql, path = field_text(condition.field)
    tests = " or ".join([f"{function}({sql}, ?)"] * len(condition.values))
    return f"coalesce({tests}, false)", [part for value in condition.values for part in (*path, value)]


def _beyond(condition: Condition, sign: str) -> Sql:
    """DuckDB reads the texts nan and inf as numbers, and takes nan for the greatest."""
    sql, path = _number(condition.field)
    return f"coalesce(isfinite({sql}) and {sql} {sign} ?, false)", [*path, *path, *condition.values]


def _is_set(field: str) -> Sql:
    sql, path = field_text(field)
    return f"coalesce({sql} <> '', false)", list(path)


def _number(field: str) -> tuple[str, list[str]]:
    sql, path = field_text(field)
    return f"try_cast({sql} as double)", path


def field_text(field: str) -> tuple[str, list[str]]:
    """The field's text, and the parameters in it: a property's path is a JSON pointer."""
    if field.startswith(PROPERTIES):
        parts = field.removeprefix(PROPERTIES).split(".")
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
        return "json_extract_string(properties, ?)", [pointer]
    if field not in _COLUMNS:
        msg = f"{field!r} is no column"
        raise ValueError(msg)
    return (f"{field}::varchar" if field in NUMBER_FIELDS else field), []
