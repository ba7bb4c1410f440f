"""The fields of a question, one by one: each is taken from decoded JSON and checked, or refused with its rule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

from eventmill.analysis.filters import PROPERTIES, Condition, is_property, parse_conditions
from eventmill.errors import DefinitionError
from query_service.query import catalog
from query_service.query.catalog import ELSEWHERE, GOAL_METRICS, METRICS, SESSION_FIELDS
from query_service.query.errors import InvalidParameter
from query_service.query.periods import DAY, HOUR, MINUTE, Granularity, Range, bucket_starts

Direction = Literal["asc", "desc"]

MAX_METRICS = 10
MAX_DIMENSIONS = 3
MAX_POINTS = 10_000
MAX_NAME = 200
GRANULARITIES: tuple[Granularity, ...] = ("minute", "hour", "day", "week", "month")
AUTO = "auto"
_LENGTHS: Mapping[str, timedelta] = {
    "minute": MINUTE,
    "hour": HOUR,
    "day": DAY,
    "week": 7 * DAY,
    "month": 28 * DAY,
}
# `auto` takes the finest of these that fits: the longest range for each.
_AUTO: tuple[tuple[timedelta, Granularity], ...] = (
    (timedelta(minutes=60), "minute"),
    (timedelta(hours=48, minutes=60), "hour"),
    (timedelta(days=92, hours=1), "day"),
    (timedelta(days=2 * 366), "week"),
)


def refuse_unknown(asked: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise InvalidParameter for a field that is none of `names`."""
    for name in asked:
        if name not in names:
            raise InvalidParameter(shown(name), f"There is no field {shown(name)}.", f"One of: {', '.join(names)}.")


def metrics(given: object) -> tuple[str, ...]:
    """1 to 10 metrics of the catalog."""
    names = _names("metrics", given, 1, MAX_METRICS)
    for number, name in enumerate(names):
        if name not in METRICS:
            place = ELSEWHERE.get(name)
            detail = f"{shown(name)} is answered by {place}." if place else f"There is no metric {shown(name)}."
            raise InvalidParameter(f"metrics[{number}]", detail, f"One of: {', '.join(METRICS)}.")
    return names


def dimensions(given: object, asked: Sequence[str]) -> tuple[str, ...]:
    """0 to 3 dimensions that every one of the metrics can be cut by."""
    names = _names("dimensions", [] if given is None else given, 0, MAX_DIMENSIONS)
    for number, name in enumerate(names):
        for metric in asked:
            if not _is_storable(name) or not catalog.is_cut_of(metric, name) or not _is_field(name):
                rule = f"One of: {', '.join(catalog.dimensions_of(metric))}"
                more = "." if catalog.measures_of([metric])[0].rollup.is_by_entry else f", {PROPERTIES}<name>."
                detail = f"{metric} cannot be cut by {shown(name)}."
                raise InvalidParameter(f"dimensions[{number}]", detail, rule + more)
    return names


def filters(given: object, asked: Sequence[str]) -> tuple[Condition, ...]:
    """At most 20 conditions [op, field, [values]], which all hold."""
    renamed: dict[int, str] = {}
    if isinstance(given, list):
        given = [_as_page(one, number, renamed) for number, one in enumerate(given)]
    try:
        found = parse_conditions(given, "filters")
    except DefinitionError as error:
        raise InvalidParameter(error.field, "The filter breaks a rule.", f"{error.rule}.") from None
    if renamed:
        _check_sessions(renamed, asked)
    return tuple(replace(one, field=renamed.get(number, one.field)) for number, one in enumerate(found))


def granularity(given: object, covered: Range, week_start: int) -> Granularity | None:
    """None for totals; `auto` by the length of the range; never more than 10,000 points."""
    if given is None:
        return None
    start, end = covered.instants
    if given == AUTO:
        return next((grain for longest, grain in _AUTO if end - start <= longest), "month")
    chosen = next((grain for grain in GRANULARITIES if grain == given), None)
    if chosen is None:
        rule = f"One of: {', '.join(GRANULARITIES)}, {AUTO}; null gives totals."
        raise InvalidParameter("granularity", f"granularity={shown(given)} is not known.", rule)
    if (end - start) / _LENGTHS[chosen] > MAX_POINTS or len(bucket_starts(covered, chosen, week_start)) > MAX_POINTS:
        rule = f"At most {MAX_POINTS} points: a shorter date_range, or a coarser granularity; {AUTO} chooses one."
        raise InvalidParameter("granularity", f"The range has too many {chosen}s.", rule)
    return chosen


def order(given: object, allowed: Sequence[str]) -> list[tuple[str, Direction]]:
    """Pairs of a name of `allowed` and a direction."""
    rule = f"A list of [name, asc or desc]; name is one of: {', '.join(allowed)}."
    if given is None:
        return []
    if not isinstance(given, list | tuple):
        raise InvalidParameter("order_by", "order_by is no list.", rule)
    found: list[tuple[str, Direction]] = []
    for number, one in enumerate(given):
        match one:
            case [str(name), "asc" | "desc" as direction] if name in allowed:
                found.append((name, direction))
            case _:
                raise InvalidParameter(f"order_by[{number}]", f"{shown(one)} orders by nothing.", rule)
    return found


def limit(given: object, default: int, most: int) -> int:
    """A whole number of rows."""
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= most:
        raise InvalidParameter("limit", f"limit={shown(given)} is out of bounds.", f"A whole number from 1 to {most}.")
    return given


def flag(field: str, given: object) -> bool:
    """True or false; false where nothing is given."""
    if given is None or isinstance(given, bool):
        return bool(given)
    raise InvalidParameter(field, f"{field}={shown(given)} is neither.", "true or false.")


def name(field: str, given: object) -> str | None:
    """A text, or nothing."""
    if given is None or isinstance(given, str):
        return given
    raise InvalidParameter(field, f"{field}={shown(given)} is no text.", "A text.")


def goal(given: object, asked: Sequence[str]) -> str | None:
    """A goal's identifier or id: needed by the metrics of goals."""
    if given is None:
        needing = [name for name in asked if name in GOAL_METRICS and name != "goal_sessions"]
        if needing:
            raise InvalidParameter("goal", f"{needing[0]} needs a goal.", "The identifier or id of a saved goal.")
        return None
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_NAME or not _is_storable(given):
        raise InvalidParameter("goal", "goal is no name.", "The identifier or id of a saved goal.")
    return given


def shown(given: object) -> str:
    """What came, for a message: short, and of printable characters."""
    return ascii(given)[:100]


def _names(field: str, given: object, least: int, most: int) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not least <= len(given) <= most:
        raise InvalidParameter(field, f"{field} is {shown(given)}.", f"A list of {least} to {most} names.")
    names = tuple(str(one) for one in given)
    if names != tuple(given):
        raise InvalidParameter(field, f"{field} is {shown(given)}.", "Names are texts.")
    if len(set(names)) < len(names):
        raise InvalidParameter(field, f"{field} names something twice.", "Each name once.")
    return names


def _is_field(name: str) -> bool:
    return not name.startswith(PROPERTIES) or is_property(name)


def _is_storable(name: str) -> bool:
    return "\x00" not in name and not any("\ud800" <= char <= "\udfff" for char in name)


def _as_page(one: object, number: int, renamed: dict[int, str]) -> object:
    """A condition on a session's own fields obeys the rules of one on a page."""
    if isinstance(one, list) and len(one) > 1 and one[1] in SESSION_FIELDS:
        renamed[number] = str(one[1])
        return [one[0], "page_url", *one[2:]]
    return one


def _check_sessions(renamed: Mapping[int, str], asked: Sequence[str]) -> None:
    for number, name in renamed.items():
        for metric in asked:
            if not catalog.is_cut_of(metric, name):
                detail, rule = f"{metric} has no {name}.", "Metrics of sessions alone, or another field."
                raise InvalidParameter(f"filters[{number}][1]", detail, rule)
