"""A cohort: the people with at least so many events of a kind, within a range of days or ever."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from eventmill.analysis.filters import FIRST_YEAR, LAST_YEAR, EventFilter, parse_filter, refuse_unknown
from eventmill.errors import DefinitionError

ANY_EVENT = "any"
MAX_TIMES = 1_000_000
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIELDS = ("filter", "return_event", "from", "to", "at_least", "include_bots")


@dataclass(frozen=True, slots=True)
class CohortDefinition:
    """Who is in a cohort, and what counts as coming back.

    `start` and `end` are days of the app's time zone, half-open; None is no bound. `return_event` None is any event.
    """

    filter: EventFilter
    return_event: EventFilter | None
    start: date | None = None
    end: date | None = None
    at_least: int = 1
    include_bots: bool = False

    @property
    def returns_by_start_event(self) -> bool:
        """Whether start and return are the same event, so that everybody is there in period 0."""
        return self.return_event == self.filter

    @property
    def only_type(self) -> str | None:
        """The event type where the cohort asks for nothing else of its events: the first of those is kept for ever."""
        return self.filter.event_type if self.filter == EventFilter(self.filter.event_type) else None

    @property
    def is_known_for_ever(self) -> bool:
        """Whether the first event that makes somebody a member is known beyond raw history."""
        return self.only_type is not None and self.at_least == 1

    def to_json(self) -> dict[str, Any]:
        """What `parse_cohort` reads, defaults filled in but for the range."""
        return_event = ANY_EVENT if self.return_event is None else self.return_event.to_json()
        days = {"from": self.start, "to": self.end}
        return {
            "filter": self.filter.to_json(),
            "return_event": return_event,
            **{name: day.isoformat() for name, day in days.items() if day is not None},
            "at_least": self.at_least,
            "include_bots": self.include_bots,
        }


def parse_cohort(given: object) -> CohortDefinition:
    """The cohort that decoded JSON describes. Raises DefinitionError naming the field and the rule."""
    if not isinstance(given, Mapping):
        raise DefinitionError("cohort", "an object with filter")
    refuse_unknown(given, _FIELDS, "cohort")
    start_event = parse_filter(given.get("filter"))
    start, end = _day(given, "from"), _day(given, "to")
    if start is not None and end is not None and start >= end:
        raise DefinitionError("to", "a day after from: it is exclusive")
    at_least, include_bots = given.get("at_least", 1), given.get("include_bots", False)
    if not isinstance(at_least, int) or isinstance(at_least, bool) or not 1 <= at_least <= MAX_TIMES:
        raise DefinitionError("at_least", f"a whole number from 1 to {MAX_TIMES}")
    if not isinstance(include_bots, bool):
        raise DefinitionError("include_bots", "true or false")
    return CohortDefinition(start_event, _return_event(given, start_event), start, end, at_least, include_bots)


def _return_event(given: Mapping[Any, Any], start_event: EventFilter) -> EventFilter | None:
    return_event = given.get("return_event")
    if return_event is None:
        return start_event
    return None if return_event == ANY_EVENT else parse_filter(return_event, "return_event")


def _day(given: Mapping[Any, Any], name: str) -> date | None:
    text = given.get(name)
    if text is None:
        return None
    rule = f"a day of the app's time zone, YYYY-MM-DD, of the years {FIRST_YEAR} to {LAST_YEAR}"
    # `fromisoformat` takes other forms too.
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise DefinitionError(name, rule)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise DefinitionError(name, rule) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DefinitionError(name, rule)
    return day
