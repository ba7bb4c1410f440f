"""The counted path of every actor, as SQL: a fold over the actor's events in the order of time.

Each query yields (actor, done, latest, times): how many steps the longest path has, the latest start of such a path,
and the times of the earliest one's steps. `latest` and `times` are microseconds since the start of the range.

The fold keeps, per number of steps done, the latest start of a path that got so far (the state behind ClickHouse's
windowFunnel): a later start has all the chances of an earlier one, and a longer window.
"""

from collections.abc import Sequence, Set

from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_events import Scope, masked
from eventmill.analysis.funnel_shapes import ENDS, LIVES, MOVE_BITS, Move


def instants(scope: Scope) -> Sql:
    """Query of (actor, t, masks, excluded): the events of each instant, as `funnel_shapes.Shape` has them."""
    query, parameters = masked(scope)
    sql = (
        f"select actor, t, list_sort(list(mask)) as masks, bit_or(excluded) as excluded from ({query})"
        " group by actor, t"
    )
    return sql, parameters


def moved(scope: Scope, known: Set[Move], instant: str, shape: str) -> str:
    """Ordered and strict funnels of any kind, over the relations of instants and of (masks, excluded, moves).

    `known` are the moves that occur: SQL for all that could would grow with the square of the steps.
    """
    steps = len(scope.definition.steps)
    return (
        f"with lists as (select actor, list_sort(flatten(list(list_transform(moves, lambda m: t << {MOVE_BITS} | m))))"
        f" as list from {instant} join {shape} using (masks, excluded) group by actor),"
        f" folded as materialized (select actor, list, {_forward(scope, known)} as state from lists),"
        f" found as (select actor, list, case {_done(steps)} end as done, case {_latest(steps)} end as latest"
        " from folded)"
        f" select actor, done, latest, {_backward(scope, known)}.r0 as times from found where done > 0"
    )


_T = f"(e >> {MOVE_BITS})"


def _is(move: Move) -> str:
    return f"e & {(1 << MOVE_BITS) - 1} = {move.code}"


def _forward(scope: Scope, known: Set[Move]) -> str:
    """Fold of the moves: `l<n>` is the latest start of a path alive with n steps, `b<n>` of any that got so far."""
    steps = range(1, len(scope.definition.steps) + 1)
    state = []
    for step in steps:
        ends = [f"when {_is(move)} then null" for move in known if (move.before, move.kind) == (step, ENDS)]
        arrivals = [move for move in known if move.after == step]
        lives = [_arrival(scope, move, "l") for move in arrivals if move.kind == LIVES]
        state.append(_field(f"l{step}", [*ends, *lives]))
        state.append(_field(f"b{step}", [_arrival(scope, move, "b") for move in arrivals]))
    empty = ", ".join(f"'l{step}': null::bigint, 'b{step}': null::bigint" for step in steps)
    return f"list_reduce(list, lambda s, e: {{{', '.join(state)}}}, {{{empty}}})"


def _arrival(scope: Scope, move: Move, field: str) -> str:
    if move.before == 0:
        start = f"case when {_T} < {scope.span} then {_T} end"
    else:
        start = f"case when {_T} - s.l{move.before} <= {scope.window} then s.l{move.before} end"
    return f"when {_is(move)} then greatest(s.{field}{move.after}, {start})"


def _field(name: str, arms: Sequence[str]) -> str:
    return f"'{name}': case {' '.join(arms)} else s.{name} end" if arms else f"'{name}': s.{name}"


def _done(steps: int) -> str:
    return " ".join(f"when state.b{step} is not null then {step}" for step in range(steps, 0, -1)) + " else 0"


def _latest(steps: int) -> str:
    return " ".join(f"when state.b{step} is not null then state.b{step}" for step in range(steps, 0, -1))


def _backward(scope: Scope, known: Set[Move]) -> str:
    """Fold of the moves, last one first: `r<n>` are the earliest times that lead from n steps to all that were done.

    Earliest step by step is also earliest at the end: a path that falls behind another can go on with the other's
    steps. So the last one that fits the window, met going backward, is the earliest path.
    """
    steps = range(len(scope.definition.steps))
    state = []
    for before in steps:
        ends = [f"when {_is(move)} then null" for move in known if (move.before, move.kind) == (before, ENDS)]
        onward = [move for move in known if move.before == before and move.kind != ENDS]
        state.append(_field(f"r{before}", [*ends, *(_departure(scope, move) for move in onward)]))
    empty = ", ".join(f"'r{before}': null::bigint[]" for before in steps)
    return f"list_reduce(list_reverse(list), lambda s, e: {{{', '.join(state)}}}, {{{empty}}})"


def _departure(scope: Scope, move: Move) -> str:
    here = f"[{', '.join([_T] * (move.after - move.before))}]"
    rest = f"s.r{move.after}"
    goes_on = move.kind == LIVES and move.after < len(scope.definition.steps)
    further = f"when {rest} is not null then list_concat({here}, {rest})" if goes_on else ""
    times = f"case when done = {move.after} then {here} {further}"
    if move.before:
        return f"when {_is(move)} then {times} else s.r{move.before} end"
    end = f"case when done = {move.after} then {_T} {f'when {rest} is not null then list_last({rest})' * goes_on} end"
    fits = f"{_T} < {scope.span} and {end} - {_T} <= {scope.window}"
    return f"when {_is(move)} and {fits} then {times} end"
