"""The fields of a question, one by one: each is taken from decoded JSON and checked, or refused with its rule."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from query_service.query import catalog
from query_service.query.catalog import ELSEWHERE, GOAL_METRICS, METRICS
from query_service.query.errors import InvalidParameter
from query_service.query.periods import (
    AUTO,
    DAY,
    HOUR,
    MINUTE,
    Granularity,
    Range,
    bucket_starts,
    is_whole,
    of_few_points,
)

Direction = Literal["asc", "desc"]

MAX_METRICS = 10
MAX_POINTS = 10_000
MAX_NAME = 200
GRANULARITIES: tuple[Granularity, ...] = ("minute", "hour", "day", "week", "month")
_LENGTHS: Mapping[str, timedelta] = {
    "minute": MINUTE,
    "hour": HOUR,
    "day": DAY,
    "week": 7 * DAY,
    "month": 28 * DAY,
}


def refuse_unknown(asked: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise InvalidParameter for a field that is none of `names`."""
    for name in asked:
        if name not in names:
            raise InvalidParameter(shown(name), f"There is no field {shown(name)}.", f"One of: {', '.join(names)}.")


def metrics(given: object) -> tuple[str, ...]:
    """1 to 10 metrics of the catalog."""
    found = names("metrics", given, 1, MAX_METRICS)
    for number, name in enumerate(found):
        if name not in METRICS:
            place = ELSEWHERE.get(name)
            detail = f"{shown(name)} is answered by {place}." if place else f"There is no metric {shown(name)}."
            raise InvalidParameter(f"metrics[{number}]", detail, f"One of: {', '.join(METRICS)}.")
    return found


def granularity(given: object, covered: Range, week_start: int) -> Granularity | None:
    """None for totals; `auto` by the length of the range; never more than 10,000 points."""
    if given is None:
        return None
    start, end = covered.instants
    if given == AUTO:
        return of_few_points(end - start)
    chosen = next((grain for grain in GRANULARITIES if grain == given), None)
    if chosen is None:
        rule = f"One of: {', '.join(GRANULARITIES)}, {AUTO}; null gives totals."
        raise InvalidParameter("granularity", f"granularity={shown(given)} is not known.", rule)
    if (end - start) / _LENGTHS[chosen] > MAX_POINTS or len(bucket_starts(covered, chosen, week_start)) > MAX_POINTS:
        rule = f"At most {MAX_POINTS} points: a shorter date_range, or a coarser granularity; {AUTO} chooses one."
        raise InvalidParameter("granularity", f"The range has too many {chosen}s.", rule)
    return chosen


def check_grains(asked: Sequence[str], covered: Range, chosen: Granularity | None, week_start: int) -> None:
    """Raise InvalidParameter for a number of days (weeks, months) that is asked for other periods."""
    for metric in asked:
        for measure in catalog.measures_of([metric]):
            grain = measure.only_grain
            if grain is None or chosen == grain:
                continue
            is_one = is_whole(covered, grain, week_start) and len(bucket_starts(covered, grain, week_start)) == 1
            if chosen is not None or not is_one:
                rule = f"{grain}; or no granularity and a date_range of one {grain}."
                raise InvalidParameter("granularity", f"{metric} is a number of {grain}s.", rule)


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
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_NAME or not is_storable(given):
        raise InvalidParameter("goal", "goal is no name.", "The identifier or id of a saved goal.")
    return given


def shown(given: object) -> str:
    """What came, for a message: short, and of printable characters."""
    return ascii(given)[:100]


def names(field: str, given: object, least: int, most: int) -> tuple[str, ...]:
    """A list of different texts."""
    if not isinstance(given, list | tuple) or not least <= len(given) <= most:
        raise InvalidParameter(field, f"{field} is {shown(given)}.", f"A list of {least} to {most} names.")
    found = tuple(str(one) for one in given)
    if found != tuple(given):
        raise InvalidParameter(field, f"{field} is {shown(given)}.", "Names are texts.")
    if len(set(found)) < len(found):
        raise InvalidParameter(field, f"{field} names something twice.", "Each name once.")
    return found


def is_storable(name: str) -> bool:
    """Whether Postgres can hold the text."""
    return "\x00" not in name and not any("\ud800" <= char <= "\udfff" for char in name)
