"""What a funnel asks: parsed from JSON and checked. The words are those of docs/funnels.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from eventmill.analysis.filters import (
    FIRST_YEAR,
    ID_FIELDS,
    LAST_YEAR,
    EventFilter,
    parse_filter,
    refuse_unknown,
    text,
)
from eventmill.errors import DefinitionError

MAX_STEPS = 20
MAX_EXCLUSIONS = 10
MAX_NAME = 200
MAX_WINDOW = timedelta(days=400)
# Microseconds of the range share a 64-bit number with the moves of `funnel_shapes`.
MAX_RANGE = timedelta(days=3_660)

_FIELDS = ("steps", "window", "order", "from", "to", "breakdown", "count_by", "exclude", "include_bots")
_FILTER_FIELDS = ("event_type", "event_name", "filters")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Kind = TypeVar("Kind", bound=StrEnum)


class Order(StrEnum):
    """Whether other events may lie between two steps (`ordered`) or not (`strict`), or steps come as they like."""

    ORDERED = "ordered"
    STRICT = "strict"
    ANY = "any"


class CountBy(StrEnum):
    """What goes through the funnel."""

    ACTOR = "actor"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Step:
    """The events that satisfy a step, and its name in the answer."""

    filter: EventFilter
    name: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that break a path between two of its steps, counted from 1."""

    filter: EventFilter
    from_step: int
    to_step: int


@dataclass(frozen=True, slots=True)
class FunnelDefinition:
    """A funnel; without `range_from` and `range_to` the caller says of which time (`within`)."""

    steps: tuple[Step, ...]
    window: timedelta = timedelta(days=7)
    order: Order = Order.ORDERED
    range_from: datetime | None = None
    range_to: datetime | None = None
    breakdown: str | None = None
    count_by: CountBy = CountBy.ACTOR
    exclude: tuple[Exclusion, ...] = ()
    include_bots: bool = False

    def within(self, range_from: datetime, range_to: datetime) -> "FunnelDefinition":
        """The same funnel of the paths that start in [range_from, range_to)."""
        return replace(self, range_from=range_from, range_to=range_to)


def parse_funnel(given: object) -> FunnelDefinition:
    """The funnel that decoded JSON describes. Raises DefinitionError naming the field and the rule."""
    if not isinstance(given, Mapping):
        raise DefinitionError("funnel", "an object with steps")
    refuse_unknown(given, _FIELDS, "funnel")
    steps = _steps(given.get("steps"))
    order = _one_of(Order, given.get("order"), Order.ORDERED, "order")
    range_from, range_to = _range(given.get("from"), given.get("to"))
    include_bots = given.get("include_bots", False)
    if not isinstance(include_bots, bool):
        raise DefinitionError("include_bots", "true or false")
    return FunnelDefinition(
        steps=steps,
        window=_window(given.get("window")),
        order=order,
        range_from=range_from,
        range_to=range_to,
        breakdown=_breakdown(given.get("breakdown")),
        count_by=_one_of(CountBy, given.get("count_by"), CountBy.ACTOR, "count_by"),
        exclude=_exclusions(given.get("exclude"), len(steps), order),
        include_bots=include_bots,
    )


def _steps(given: object) -> tuple[Step, ...]:
    if not isinstance(given, list) or not 2 <= len(given) <= MAX_STEPS:
        raise DefinitionError("steps", f"a list of 2 to {MAX_STEPS} steps")
    return tuple(_step(one, f"steps[{number}]") for number, one in enumerate(given))


def _step(given: object, where: str) -> Step:
    if not isinstance(given, Mapping):
        raise DefinitionError(where, "an object with event_type, event_name or filters, and perhaps a name")
    refuse_unknown(given, (*_FILTER_FIELDS, "name"), where)
    chosen = parse_filter(_filter_part(given), where)
    name = text(given.get("name"), f"{where}.name", MAX_NAME)
    return Step(chosen, name or chosen.event_name or chosen.event_type or _condition_name(chosen))


def _filter_part(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _FILTER_FIELDS if name in given}


def _condition_name(chosen: EventFilter) -> str:
    first = chosen.filters[0]
    return " ".join([first.field, first.op.value, *map(str, first.values)])[:MAX_NAME]


def _window(given: object) -> timedelta:
    if given is None:
        return timedelta(days=7)
    found = re.fullmatch(r"([1-9][0-9]{0,7})([smhdw])", given, re.ASCII) if isinstance(given, str) else None
    window = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < window <= MAX_WINDOW:
        raise DefinitionError("window", f"a number and one of s, m, h, d, w, such as 7d; at most {MAX_WINDOW.days}d")
    return window


def _range(given_from: object, given_to: object) -> tuple[datetime | None, datetime | None]:
    if given_from is None and given_to is None:
        return None, None
    range_from, range_to = _instant(given_from, "from"), _instant(given_to, "to")
    if range_from >= range_to:
        raise DefinitionError("to", "later than from")
    if range_to - range_from > MAX_RANGE:
        raise DefinitionError("to", f"at most {MAX_RANGE.days} days after from")
    return range_from, range_to


def _instant(given: object, where: str) -> datetime:
    try:
        instant = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise DefinitionError(where, "an RFC 3339 time with its offset, such as 2026-05-01T00:00:00Z; both or neither")
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise DefinitionError(where, f"of the years {FIRST_YEAR} to {LAST_YEAR}")
    return instant.astimezone(UTC)


def _breakdown(given: object) -> str | None:
    if given is None:
        return None
    if given in ID_FIELDS:
        raise DefinitionError("breakdown", "is no id: no row of an answer names a person")
    try:
        chosen = parse_filter({"filters": [["is_set", given]]}, "breakdown")
    except DefinitionError as error:
        raise DefinitionError("breakdown", error.rule) from error
    return chosen.filters[0].field


def _exclusions(given: object, steps: int, order: Order) -> tuple[Exclusion, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MAX_EXCLUSIONS:
        raise DefinitionError("exclude", f"a list of at most {MAX_EXCLUSIONS} event filters with from_step and to_step")
    return tuple(_exclusion(one, f"exclude[{number}]", steps, order) for number, one in enumerate(given))


def _exclusion(given: object, where: str, steps: int, order: Order) -> Exclusion:
    if not isinstance(given, Mapping):
        raise DefinitionError(where, "an object with event_type, event_name or filters")
    refuse_unknown(given, (*_FILTER_FIELDS, "from_step", "to_step"), where)
    if order is Order.ANY and ("from_step" in given or "to_step" in given):
        raise DefinitionError(where, "takes no from_step and to_step with the order any: it spans the whole funnel")
    first, last = given.get("from_step", 1), given.get("to_step", steps)
    for value, field in ((first, "from_step"), (last, "to_step")):
        if type(value) is not int or not 1 <= value <= steps:
            raise DefinitionError(f"{where}.{field}", f"the number of a step, 1 to {steps}")
    if first >= last:
        raise DefinitionError(f"{where}.to_step", "a later step than from_step")
    return Exclusion(parse_filter(_filter_part(given), where), first, last)


def _one_of(kind: type[Kind], given: object, default: Kind, where: str) -> Kind:
    if given is None:
        return default
    found = next((one for one in kind if one.value == given), None)
    if found is None:
        raise DefinitionError(where, f"one of {', '.join(one.value for one in kind)}")
    return found
