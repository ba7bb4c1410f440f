"""Which events a goal, a cohort or a step of a funnel means: parsed from JSON, checked, and turned into SQL.

A text compares with a property's text (numbers and booleans in their JSON spelling, lists and objects as JSON), a
number with what reads as a number, a boolean with its text. Case counts. A missing field, like an empty one, is not
set: it meets `is_not` and `contains_not`, and no other comparison.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eventmill.contracts import limits
from eventmill.errors import DefinitionError

Value = str | float | bool
Sql = tuple[str, list[Value]]

MAX_CONDITIONS = 20
MAX_VALUES = 100
MAX_TEXT = 1_000
PROPERTIES = "properties."

TEXT_FIELDS = (
    *("event_type", "event_name", "source", "page_url", "page_path", "page_title", "referrer", "referrer_host"),
    *("channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "device_type", "os"),
    *("browser", "country", "app_version"),
)
NUMBER_FIELDS = ("duration_ms",)
# A saved definition must not name a person: it would outlive the erasure of that person.
ID_FIELDS = ("user_id", "anonymous_id", "session_id")


# Definitions name days of these years: arithmetic in any time zone, and with any window, stays inside the calendar.
FIRST_YEAR, LAST_YEAR = 1971, 2199


class Op(StrEnum):
    """How a field is compared; with several values, any of them (`is`, `contains`, `starts_with`) or none."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    CONTAINS_NOT = "contains_not"
    STARTS_WITH = "starts_with"
    GREATER = "greater"
    LESS = "less"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"


_WITHOUT_VALUES = (Op.IS_SET, Op.IS_NOT_SET)
_OF_NUMBERS = (Op.GREATER, Op.LESS)
_OF_TEXTS = (Op.CONTAINS, Op.CONTAINS_NOT, Op.STARTS_WITH)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: a built-in column or `properties.x.y`, and the values to compare it with."""

    op: Op
    field: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Events of a type, of a name, and that meet every condition; at least one of the three is given."""

    event_type: str | None = None
    event_name: str | None = None
    filters: tuple[Condition, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `parse_filter` reads, without what is not given."""
        given = {"event_type": self.event_type, "event_name": self.event_name}
        conditions = [[condition.op.value, condition.field, list(condition.values)] for condition in self.filters]
        return {name: value for name, value in given.items() if value is not None} | (
            {"filters": conditions} if conditions else {}
        )


def parse_filter(given: object, where: str = "filter") -> EventFilter:
    """The filter that decoded JSON describes; `where` is its place in the definition, for errors.

    Raises DefinitionError naming the field and the rule.
    """
    if not isinstance(given, Mapping):
        raise DefinitionError(where, "an object with event_type, event_name or filters")
    refuse_unknown(given, ("event_type", "event_name", "filters"), where)
    parsed = EventFilter(
        text(given.get("event_type"), f"{where}.event_type", limits.MAX_EVENT_TYPE),
        text(given.get("event_name"), f"{where}.event_name", limits.MAX_EVENT_NAME),
        parse_conditions(given.get("filters"), f"{where}.filters"),
    )
    if parsed == EventFilter():
        raise DefinitionError(where, "names at least an event_type, an event_name or a filter")
    return parsed


def refuse_unknown(given: Mapping[Any, Any], names: Sequence[str], where: str) -> None:
    """Raise DefinitionError for a field that is none of `names`, listing those."""
    for name in given:
        if name not in names:
            shown = str(name)[:60].encode(errors="backslashreplace").decode()
            raise DefinitionError(f"{where}.{shown}", f"is no field here; there are {', '.join(names)}")


def text(given: object, where: str, longest: int) -> str | None:
    """`given` where it is a text of 1 to `longest` characters, None where it is None; else DefinitionError."""
    if given is None:
        return None
    if not isinstance(given, str) or not 1 <= len(given) <= longest or not _is_storable(given):
        raise DefinitionError(where, f"a text of 1 to {longest} characters, without NUL and half characters")
    return given


def _is_storable(given: str) -> bool:
    """Whether JSON in Postgres, and DuckDB, can hold it."""
    return "\x00" not in given and not any("\ud800" <= char <= "\udfff" for char in given)


def parse_conditions(given: object, where: str) -> tuple[Condition, ...]:
    """The conditions that decoded JSON lists. Raises DefinitionError naming the place below `where` and the rule."""
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MAX_CONDITIONS:
        raise DefinitionError(where, f"a list of at most {MAX_CONDITIONS} conditions [op, field, [values]]")
    return tuple(_condition(one, f"{where}[{number}]") for number, one in enumerate(given))


def _condition(given: object, where: str) -> Condition:
    if not isinstance(given, list) or len(given) not in {2, 3}:
        raise DefinitionError(where, "a list [op, field, [values]]")
    op = next((op for op in Op if op.value == given[0]), None)
    if op is None:
        raise DefinitionError(f"{where}[0]", f"one of {', '.join(op.value for op in Op)}")
    field = _field(given[1], op, f"{where}[1]")
    return Condition(op, field, _values(given[2] if len(given) == 3 else [], op, field, f"{where}[2]"))


def _field(given: object, op: Op, where: str) -> str:
    allowed = (*TEXT_FIELDS, *NUMBER_FIELDS)
    if isinstance(given, str) and given in ID_FIELDS:
        if op not in _WITHOUT_VALUES:
            raise DefinitionError(where, f"{given} can be tested with is_set and is_not_set alone: no person is named")
        return given
    if isinstance(given, str) and is_property(given):
        return given
    if not isinstance(given, str) or given not in allowed:
        rule = f"one of {', '.join(allowed)} or properties.<name>, with a dot before each name inside (at most 16)"
        raise DefinitionError(where, rule)
    return given


def is_property(given: str) -> bool:
    """Whether the text names a property: `properties.<name>`, with a dot before each name inside."""
    if not given.startswith(PROPERTIES):
        return False
    name = given.removeprefix(PROPERTIES)
    parts = name.split(".")
    return all(parts) and len(parts) <= limits.MAX_NESTING and len(name) <= MAX_TEXT and _is_storable(name)


def _values(given: object, op: Op, field: str, where: str) -> tuple[Value, ...]:
    if op in _WITHOUT_VALUES:
        if given != []:
            raise DefinitionError(where, f"{op.value} takes no values")
        return ()
    most = 1 if op in _OF_NUMBERS else MAX_VALUES
    if not isinstance(given, list) or not 1 <= len(given) <= most:
        raise DefinitionError(where, f"a list of {'one number' if most == 1 else f'1 to {most} values'}")
    return tuple(_value(one, op, field, f"{where}[{number}]") for number, one in enumerate(given))


def _value(given: object, op: Op, field: str, where: str) -> Value:
    if op in _OF_NUMBERS and field in TEXT_FIELDS:
        raise DefinitionError(where, f"{op.value} compares numbers, and {field} is a text")
    if op in _OF_TEXTS and field in NUMBER_FIELDS:
        raise DefinitionError(where, f"{op.value} compares texts, and {field} is a number")
    if isinstance(given, int | float) and not isinstance(given, bool):
        if op in _OF_TEXTS or field in TEXT_FIELDS:
            raise DefinitionError(where, f"{op.value} compares {field} with texts")
        return _number(given, where)
    if op in _OF_NUMBERS or field in NUMBER_FIELDS:
        raise DefinitionError(where, f"{op.value} compares {field} with numbers")
    if isinstance(given, bool):
        if op in _OF_TEXTS or field in TEXT_FIELDS:
            raise DefinitionError(where, f"{op.value} compares {field} with texts")
        return given
    checked = text(given, where, MAX_TEXT)
    if checked is None:
        raise DefinitionError(where, "a text, a number or a boolean; is_not_set finds what is missing")
    return checked


def _number(given: float, where: str) -> float:
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DefinitionError(where, "a finite number")
    return number
