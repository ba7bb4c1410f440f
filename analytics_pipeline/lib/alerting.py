"""When a threshold alert fires and when it is over, whatever its number does in between."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# A condition must have been false this long before it is over: a number that swings around its threshold says so once.
QUIET = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class State:
    """Since when the condition holds, and since when it does not; at most one of them."""

    met_since: datetime | None = None
    unmet_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, and what it means for the incident."""

    state: State
    outcome: Literal["fire", "resolve", "stay"]


def step(state: State, is_met: bool | None, now: datetime, wait: timedelta) -> Step:
    """Go on by one look. None: nobody can tell, as nothing complete is there, and nothing changes.

    It fires once the condition has held for `wait`, and is over once it has not for as long, at least 5 minutes.
    """
    if is_met is None:
        return Step(state, "stay")
    if is_met:
        since = state.met_since or now
        return Step(State(met_since=since), "fire" if now - since >= wait else "stay")
    since = state.unmet_since or now
    return Step(State(unmet_since=since), "resolve" if now - since >= max(wait, QUIET) else "stay")
