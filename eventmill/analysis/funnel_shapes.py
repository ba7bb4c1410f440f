"""What the events of one instant do to the paths of an actor.

Events at equal times may stand in either order, and one event satisfies one step: so the events of an instant take a
path from `done` steps to any number of which each further step finds an event of its own among them. These moves,
and the paths that the instant ends, become numbers that sort in the order in which SQL must take them one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eventmill.analysis.funnel_definition import FunnelDefinition, Order

# A move is a number of MOVE_BITS: 31 - before, 31 - after, kind. Moves from more steps come first, since they read what
# the others write; `ENDS` comes last of those from the same number of steps.
MOVE_BITS = 12
LIVES, DIES, ENDS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Shape:
    """The events of an instant: which steps each may satisfy, and which exclusions any meets, as bits."""

    masks: tuple[int, ...]
    excluded: int


class Move(NamedTuple):
    """From `before` steps done to `after`, or the end of paths with `before`."""

    before: int
    after: int
    kind: int

    @property
    def code(self) -> int:
        """The move as a number; `ENDS` has no `after` and so sorts last."""
        return (31 - self.before) << 7 | (31 - self.after) << 2 | self.kind


def moves(shape: Shape, definition: FunnelDefinition) -> list[Move]:
    """The moves of an instant, in their order.

    `LIVES` takes a path from `before` to `after` steps; `DIES` too, but the path ends there; `ENDS` is the end of the
    paths that stay at `before` steps.
    """
    steps = len(definition.steps)
    spans = [(one.from_step, one.to_step) for bit, one in enumerate(definition.exclude) if shape.excluded >> bit & 1]
    is_strict = definition.order is Order.STRICT
    found = []
    for before in range(steps):
        for after in range(before + 1, _reach(before, shape.masks, steps) + 1):
            is_whole = not is_strict or before == 0 or after - before == len(shape.masks)
            is_broken = any(0 < first <= before and after < last for first, last in spans)
            found.append(Move(before, after, LIVES if is_whole and not is_broken else DIES))
        if before and (is_strict or any(first <= before < last for first, last in spans)):
            found.append(Move(before, 0, ENDS))
    return sorted(found, key=lambda move: move.code)


def _reach(before: int, masks: Sequence[int], steps: int) -> int:
    """How many steps are done at most when each step after `before` takes an event of its own."""
    event_of: dict[int, int] = {}
    for step in range(before, steps):
        if not assign(step, masks, event_of, set()):
            return step
    return steps


def assign(step: int, masks: Sequence[int], event_of: dict[int, int], seen: set[int]) -> bool:
    """Find an event for the step, moving other steps to other events where that helps (Kuhn's augmenting path).

    `event_of` changes only where one is found; `seen` are events that were tried.
    """
    taken_by = {event: taker for taker, event in event_of.items()}
    for event, mask in enumerate(masks):
        if mask >> step & 1 and event not in seen:
            seen.add(event)
            if event not in taken_by or assign(taken_by[event], masks, event_of, seen):
                event_of[step] = event
                return True
    return False
