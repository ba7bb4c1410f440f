"""A goal: a saved filter whose events convert the sessions that they lie in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventmill.analysis.filters import EventFilter, parse_filter, refuse_unknown
from eventmill.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class GoalDefinition:
    """What a goal asks for."""

    filter: EventFilter

    def to_json(self) -> dict[str, Any]:
        """What `parse_goal` reads."""
        return {"filter": self.filter.to_json()}


def parse_goal(given: object) -> GoalDefinition:
    """The goal that decoded JSON describes. Raises DefinitionError naming the field and the rule."""
    if not isinstance(given, Mapping):
        raise DefinitionError("goal", "an object with filter")
    refuse_unknown(given, ("filter",), "goal")
    return GoalDefinition(parse_filter(given.get("filter")))
