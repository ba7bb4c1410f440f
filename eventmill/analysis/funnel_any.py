"""The counted path of every actor where steps may come in any order: as many different steps as fit one window.

`distinct_any` is SQL for steps that no event shares; `matched` tries the assignments of events to steps in Python, for
funnels where an event could satisfy several. Both yield what `funnel_paths` yields.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_events import Scope, single_steps

_STEP_BITS = 5
_T, _STEP = f"(e >> {_STEP_BITS})", "(e & 31)"
# Results of a window are numbers too: how many steps it holds, and beside it a time.
_TIME_BITS = 51
_LAST_TIME = (1 << _TIME_BITS) - 1


def distinct_any(scope: Scope) -> Sql:
    """A fold that keeps the latest time of each step: the steps of a window are those seen since its first instant.

    That instant is the last excluded event, or as far back as the window goes, or the start of the range. As with
    `funnel_fold`, the first event that completes the longest path also ends the earliest one.
    """
    query, parameters = single_steps(scope)
    excluded = len(scope.definition.steps) + 1
    broken = f"list_last(list_filter(list, lambda e: {_STEP} = {excluded} and {_T} < reached)) >> {_STEP_BITS}"
    since = f"greatest(reached - {scope.window}, 0{f', {broken}' if scope.definition.exclude else ''})"
    sql = (
        f"with event as ({query}),"
        f" lists as (select actor, list_sort(list(t << {_STEP_BITS} | step)) as list from event group by actor),"
        f" folded as materialized (select actor, list, {_fold(scope)} as state from lists),"
        f" found as (select actor, list, (state.first >> {_TIME_BITS})::tinyint as done,"
        f" {_LAST_TIME} - (state.first & {_LAST_TIME}) as reached, state.latest & {_LAST_TIME} as latest"
        " from folded where state.first > 0),"
        f" windows as (select actor, done, latest, reached, list, {since} as since from found)"
        f" select actor, done, latest, case when done = 1 then [reached] else {_earliest(scope)}.times end as times"
        " from windows"
    )
    return sql, parameters


def _fold(scope: Scope) -> str:
    """`first` is the largest number of steps and, of its windows, the one that was complete first; `latest` the last.

    Both are the greatest of numbers, so that what an event completes is worked out once for each.
    """
    steps = range(1, len(scope.definition.steps) + 1)
    since = f"greatest({_T} - {scope.window}, 0, s.broken)"
    start = f"(case when {_T} < {scope.span} then {_T} else s.start end)"
    seen = [f"(case when {_STEP} = {step} then {_T} else s.t{step} end)" for step in steps]
    done = f"({' + '.join(f'({t} >= {since})::bigint' for t in seen)}) << {_TIME_BITS}"
    is_path = f"{_STEP} < {len(seen) + 1} and {start} >= {since}"
    begun = f"least({', '.join(f'case when {t} >= {since} then {t} end' for t in seen)}, {start})"
    state = [
        *(f"'t{step}': {t}" for step, t in zip(steps, seen, strict=True)),
        f"'broken': case when {_STEP} = {len(seen) + 1} then {_T} else s.broken end",
        f"'start': case when {_STEP} < {len(seen) + 1} then {start} else s.start end",
        f"'first': case when {is_path} then greatest(s.first, {done} | ({_LAST_TIME} - {_T})) else s.first end",
        f"'latest': case when {is_path} then greatest(s.latest, {done} | {begun}) else s.latest end",
    ]
    # No time is before the range.
    empty = ", ".join(f"'t{step}': -1::bigint" for step in steps)
    rest = "'broken': -1::bigint, 'start': -1::bigint, 'first': 0::bigint, 'latest': 0::bigint"
    return f"list_reduce(list, lambda s, e: {{{', '.join(state)}}}, {{{empty}, {rest}}})"


def _earliest(scope: Scope) -> str:
    """Times at which the steps of the window are first seen."""
    inside = (
        f"list_filter(list, lambda e: {_T} >= since and {_T} <= reached and {_STEP} <= {len(scope.definition.steps)})"
    )
    is_new = f"len(p.times) < done and p.seen & (1 << {_STEP}) = 0"
    return (
        f"list_reduce({inside}, lambda p, e: {{'times': case when {is_new} then list_append(p.times, {_T})"
        " else p.times end,"
        f" 'seen': case when {is_new} then p.seen | (1 << {_STEP}) else p.seen end}},"
        " {'times': []::bigint[], 'seen': 0::bigint})"
    )


class Happened(NamedTuple):
    """An event: its time, the steps that it may satisfy as bits, and whether it is excluded."""

    t: int
    mask: int
    excluded: bool


class Path(NamedTuple):
    """What `funnel_paths` yields of an actor."""

    done: int
    latest: int
    times: list[int]


class _History(NamedTuple):
    """Events of one actor that satisfy a step, their times, those of excluded events, and the kinds of steps met."""

    events: list[Happened]
    times: list[int]
    broken: list[int]
    kinds: int


def matched(events: Sequence[Happened], steps: int, span: int, window: int) -> Path | None:
    """The path of one actor, from events in the order of time. None where none begins inside the range."""
    useful = [event for event in events if event.mask]
    broken = sorted({event.t for event in events if event.excluded})
    history = _History(useful, [event.t for event in useful], broken, len({event.mask for event in useful}))
    best: Path | None = None
    for start in sorted({time for time in history.times if time < span}):
        times = _longest(history, start, start + window, steps)
        if best is None or len(times) > best.done:
            best = Path(len(times), start, times)
        elif len(times) == best.done:
            best = best._replace(latest=start)
    return best


def _longest(history: _History, start: int, end: int, steps: int) -> list[int]:
    """The longest path of a window, the earliest of those: an excluded event may be its first or its very last one."""
    if (at := bisect_right(history.broken, start)) < len(history.broken):
        end = min(end, history.broken[at])
    inside = history.events[bisect_left(history.times, start) : bisect_right(history.times, end)]
    if not history.broken:
        return _greedy(inside, steps, history.kinds)
    allowed = [event for event in inside if not event.excluded]
    firsts = [event for event in inside if event.excluded and event.t == start]
    lasts = [event for event in inside if event.excluded and event.t == end > start]
    tries = [allowed, *([first, *allowed] for first in firsts)]
    # Both may happen at the same time, with nothing but that between them.
    at_once = [event for event in allowed if event.t == start]
    whole = [_greedy([first, *at_once, last], steps, history.kinds) for first, last in combinations(firsts, 2)]
    paths = [times for times in _paths(tries, lasts, steps, history.kinds) if times[:1] == [start]]
    paths += [times for times in whole if len(times) == steps]
    return min(paths, key=lambda times: (-len(times), times))


def _paths(
    tries: Sequence[Sequence[Happened]], lasts: Sequence[Happened], steps: int, kinds: int
) -> Iterator[list[int]]:
    for events in tries:
        times = _greedy(events, steps, kinds)
        yield times
        if len(times) == steps - 1:
            yield from (found for last in lasts if len(found := _greedy([*events, last], steps, kinds)) == steps)


def _greedy(events: Sequence[Happened], steps: int, kinds: int) -> list[int]:
    """Times of the events that add a step when assigned in the order of time (a matroid: earliest is also longest).

    An event that adds none shows that no later one of its kind will.
    """
    mask_of: dict[int, int] = {}
    spent: set[int] = set()
    times: list[int] = []
    for event in events:
        if event.mask in spent:
            continue
        if _adds(event.mask, mask_of, set(range(steps))):
            times.append(event.t)
        else:
            spent.add(event.mask)
        if len(times) == steps or len(spent) == kinds:
            break
    return times


def _adds(mask: int, mask_of: dict[int, int], untried: set[int]) -> bool:
    """Give an event one of its steps, moving other events to other steps where that helps (Kuhn's augmenting path).

    `mask_of` has the event of each step that is done; it changes only where one more is.
    """
    for step in [step for step in untried if mask >> step & 1]:
        if step not in untried:  # Tried meanwhile, for another event.
            continue
        untried.remove(step)
        if step not in mask_of or _adds(mask_of[step], mask_of, untried):
            mask_of[step] = mask
            return True
    return False
