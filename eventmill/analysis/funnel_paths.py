"""The counted path of every actor, as SQL: a fold over the actor's events in the order of time.

Each query yields (actor, done, latest, times): how many steps the longest path has, the latest start of such a path,
and the times of the earliest one's steps. `latest` and `times` are microseconds since the start of the range.

The fold keeps, per number of steps done, the latest start of a path that got so far (the state behind ClickHouse's
windowFunnel): a later start has all the chances of an earlier one, and a longer window.
"""

from collections.abc import Sequence, Set

from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_events import Scope, masked, single_steps
from eventmill.analysis.funnel_shapes import ENDS, LIVES, MOVE_BITS, Move

_STEP_BITS = 5


def distinct_ordered(scope: Scope) -> Sql:
    """Steps that no event shares, in order, without exclusion: the usual funnel, on the shortest way.

    An event is one number, its time and its step. The first event that completes the longest path also ends the
    earliest one, whose start is the first in its window: every start before the one that was found, and within the
    window, can go on with the steps of that one. (`folded` is materialized: a condition on it would fold again.)
    """
    query, parameters = single_steps(scope)
    latest = " ".join(f"when {step} then state.s{step} >> {_STEP_BITS}" for step in _numbers(scope))
    sql = (
        f"with event as ({query}),"
        f" lists as (select actor, list_sort(list(t << {_STEP_BITS} | step)) as list from event group by actor),"
        f" folded as materialized (select actor, list, {_reached(scope)} as state from lists),"
        " found as (select actor, list, (state.reached & 31)::tinyint as done, state.reached as reached,"
        f" case state.reached & 31 {latest} end as latest from folded where state.reached is not null)"
        f" select actor, done, latest, {_earliest(scope)} as times from found"
    )
    return sql, parameters


def _numbers(scope: Scope) -> range:
    return range(1, len(scope.definition.steps) + 1)


def _reached(scope: Scope) -> str:
    """Fold of the events: `s<n>` is the latest start of a path with n steps, `reached` the event that got furthest.

    Of starts that follow each other without another step between them, only the last matters here.
    """
    starts_no_run = "e & 31 > 1 or i = len(list) or list[i + 1] & 31 > 1"
    # The difference of two events is that of their times, and of their steps beside it.
    goes_on = {
        step: f"e - s.s{step - 1} <= {(scope.window << _STEP_BITS) + step - 1}" for step in _numbers(scope) if step > 1
    }
    state = ["'s1': case when e & 31 = 1 then e else s.s1 end"]
    for step, condition in goes_on.items():
        state.append(f"'s{step}': case when e & 31 = {step} and {condition} then s.s{step - 1} else s.s{step} end")
    arms = " ".join(f"when {step} then {condition}" for step, condition in goes_on.items())
    is_further = f"(e & 31) > coalesce(s.reached & 31, 0) and case e & 31 when 1 then true {arms} end"
    state.append(f"'reached': case when {is_further} then e else s.reached end")
    empty = ", ".join(f"'s{step}': null::bigint" for step in _numbers(scope))
    return (
        f"list_reduce(list_filter(list, lambda e, i: {starts_no_run}),"
        f" lambda s, e: {{{', '.join(state)}}}, {{{empty}, 'reached': null::bigint}})"
    )


def _earliest(scope: Scope) -> str:
    """Times of the path: the first start whose window holds its end, then the first event of each step in turn."""
    inside = f"e <= reached and (e >> {_STEP_BITS}) >= (reached >> {_STEP_BITS}) - {scope.window}"
    fold = (
        f"list_reduce(list_filter(list, lambda e: {inside}), lambda p, e:"
        f" case when e & 31 = len(p) + 1 then list_append(p, e >> {_STEP_BITS}) else p end, []::bigint[])"
    )
    return f"case when done = 1 then [list_filter(list, lambda e: e & 31 = 1)[1] >> {_STEP_BITS}] else {fold} end"


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
