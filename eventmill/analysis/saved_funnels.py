"""A saved funnel: a funnel of a fixed range, or of the last days up to today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from eventmill.analysis.funnel_definition import FunnelDefinition, parse_funnel
from eventmill.analysis.local_days import Calendar
from eventmill.errors import DefinitionError

DEFAULT_DAYS = 30
MAX_DAYS = 400


@dataclass(frozen=True, slots=True)
class SavedFunnel:
    """The funnel, the JSON that it was parsed from, and of how many days it is; None where it has a range."""

    funnel: FunnelDefinition
    given: Mapping[str, Any]
    days: int | None

    def at(self, now: datetime, calendar: Calendar) -> FunnelDefinition:
        """The funnel with its range: without one of its own the last days of the app's zone, today included."""
        if self.days is None:
            return self.funnel
        today = calendar.local_date(now)
        first = calendar.midnight(today - timedelta(days=self.days - 1))
        return self.funnel.within(first, calendar.midnight(today + timedelta(days=1)))

    def to_json(self) -> dict[str, Any]:
        """What `parse_saved_funnel` reads."""
        return {**self.given, **({} if self.days is None else {"days": self.days})}


def parse_saved_funnel(given: object) -> SavedFunnel:
    """The funnel that decoded JSON describes. Raises DefinitionError naming the field and the rule."""
    if not isinstance(given, Mapping):
        raise DefinitionError("funnel", "an object with steps")
    own = {name: value for name, value in given.items() if name != "days"}
    funnel = parse_funnel(own)
    days = given.get("days")
    if funnel.range_from is not None:
        if days is not None:
            raise DefinitionError("days", "stands instead of from and to")
        return SavedFunnel(funnel, own, None)
    days = DEFAULT_DAYS if days is None else days
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        raise DefinitionError("days", f"a whole number from 1 to {MAX_DAYS}")
    return SavedFunnel(funnel, own, days)
