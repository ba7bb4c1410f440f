"""Funnels the slow and obvious way: every order of simultaneous events, every path. Shares no code with ours.

An actor's history is a list of `Event`s; times are whole seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import NamedTuple


class Event(NamedTuple):
    """What happened, when; `country` is what breakdowns ask for, `is_bot` leaves it out."""

    kind: str
    at: int
    country: str | None = None
    is_bot: bool = False


@dataclass(frozen=True)
class Funnel:
    """Steps and exclusions name the kinds of events that meet them; an exclusion is (kinds, from step, to step)."""

    steps: Sequence[str]
    window: int
    order: str = "ordered"
    start: int = 0
    end: int = 1_000_000
    exclude: Sequence[tuple[str, int, int]] = ()


class Path(NamedTuple):
    """Times of the counted path's steps, and the latest start of a path as long."""

    times: tuple[int, ...]
    latest: int


def counted_path(funnel: Funnel, history: Sequence[Event]) -> Path | None:
    """The longest path of an actor, then the earliest."""
    seen = [event for event in history if not event.is_bot]
    walk = _any if funnel.order == "any" else _in_order
    paths = {tuple(order[at].at for at in path) for order in _orders(seen) for path in walk(funnel, order)}
    if not paths:
        return None
    longest = max(map(len, paths))
    return Path(
        min(path for path in paths if len(path) == longest), max(path[0] for path in paths if len(path) == longest)
    )


def entry_value(funnel: Funnel, history: Sequence[Event], path: Path) -> str | None:
    """Country of the event with which the path begins: of several, the one that was stored first."""
    kinds = "".join(funnel.steps) if funnel.order == "any" else funnel.steps[0]
    return next(e.country for e in history if e.at == path.times[0] and e.kind in kinds and not e.is_bot) or None


def _orders(history: Sequence[Event]) -> Iterator[list[Event]]:
    by_time = sorted(history, key=lambda event: event.at)
    ties = [list(permutations(events)) for _, events in groupby(by_time, key=lambda event: event.at)]
    for chosen in product(*ties):
        yield [event for events in chosen for event in events]


def _in_order(funnel: Funnel, order: list[Event]) -> Iterator[list[int]]:
    def extend(path: list[int]) -> Iterator[list[int]]:
        yield path
        if len(path) == len(funnel.steps):
            return
        following = range(path[-1] + 1, len(order))
        for at in following[:1] if funnel.order == "strict" else following:
            if order[at].kind in funnel.steps[len(path)] and _holds(funnel, order, path, at, _spans(funnel)):
                yield from extend([*path, at])

    for at in _starts(funnel, order, lambda kind: kind in funnel.steps[0]):
        yield from extend([at])


def _any(funnel: Funnel, order: list[Event]) -> Iterator[list[int]]:
    spans = [(kinds, 1, len(funnel.steps)) for kinds, _, _ in funnel.exclude]

    def extend(path: list[int], open_steps: tuple[str, ...]) -> Iterator[list[int]]:
        yield path
        for at in range(path[-1] + 1, len(order)):
            for number, step in enumerate(open_steps):
                if order[at].kind in step and _holds(funnel, order, path, at, spans):
                    yield from extend([*path, at], open_steps[:number] + open_steps[number + 1 :])

    for number, step in enumerate(funnel.steps):
        rest = tuple(funnel.steps[:number]) + tuple(funnel.steps[number + 1 :])
        for at in _starts(funnel, order, lambda kind, step=step: kind in step):  # type: ignore[misc]
            yield from extend([at], rest)


def _starts(funnel: Funnel, order: list[Event], meets: Callable[[str], bool]) -> Iterator[int]:
    return (at for at, e in enumerate(order) if meets(e.kind) and funnel.start <= e.at < funnel.end)


def _spans(funnel: Funnel) -> list[tuple[str, int, int]]:
    return list(funnel.exclude)


def _holds(funnel: Funnel, order: list[Event], path: list[int], at: int, spans: Sequence[tuple[str, int, int]]) -> bool:
    """Whether a path may take the event at `at` as its next step: in the window, and nothing excluded on the way."""
    if order[at].at - order[path[0]].at > funnel.window:
        return False
    step = len(path) + 1
    for kinds, first, last in spans:
        if first < step <= last:
            between = order[path[first - 1] + 1 : at + (step < last)]
            if any(event.kind in kinds for event in between):
                return False
    return True
