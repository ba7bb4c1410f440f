"""The counted paths of actors whose events each have a moment of their own, for funnels of any kind but `any`.

An event then takes a path one step further at most, so that it is one number: its time, the steps that it may satisfy
and the exclusions that it meets. Actors with two events at one time are left to `funnel_paths.moved`, which follows
what those can do together.
"""

from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_definition import Order
from eventmill.analysis.funnel_events import Scope, masked

_NUMBER_BITS = 63


def fits(scope: Scope) -> bool:
    """Whether a time, the steps and the exclusions fit one number."""
    return (scope.span + scope.window).bit_length() + _bits(scope) <= _NUMBER_BITS


def _bits(scope: Scope) -> int:
    return len(scope.definition.steps) + len(scope.definition.exclude)


def lists(scope: Scope) -> Sql:
    """Query of (actor, list, is_tied): the events of those with a start, in the order of time.

    Events of no step at one time do not tie: they stand between others, in whichever order.
    """
    query, parameters = masked(scope)
    steps = len(scope.definition.steps)
    of_step = (1 << _bits(scope)) - 1
    same_time = f"(e >> {_bits(scope)}) = (list[i - 1] >> {_bits(scope)})"
    sql = (
        "with lists as (select actor,"
        f" list_sort(list(t << {_bits(scope)} | (excluded::bigint << {steps}) | mask)) as list from ({query})"
        f" group by actor having bool_or(mask & 1 > 0 and t < {scope.span}))"
        " select actor, list, list_bool_or(list_transform(list, lambda e, i:"
        f" i > 1 and {same_time} and (e | list[i - 1]) & {of_step} > 0)) as is_tied from lists"
    )
    return sql, parameters


def tied_instants(scope: Scope, table: str) -> str:
    """What `funnel_paths.instants` yields, of the actors in `table` that are tied."""
    steps = len(scope.definition.steps)
    return (
        f"select actor, t, list_sort(list(mask)) as masks, bit_or(excluded) as excluded from (select actor,"
        f" e >> {_bits(scope)} as t, (e & {(1 << steps) - 1})::integer as mask,"
        f" ((e >> {steps}) & {(1 << len(scope.definition.exclude)) - 1})::integer as excluded"
        f" from (select actor, unnest(list) as e from {table} where is_tied)) group by actor, t"
    )


def paths(scope: Scope, table: str) -> str:
    """What the queries of `funnel_paths` yield, of the actors in `table` that are not tied.

    The first event that completes the longest path also ends the earliest one: a path that begins earlier and ends
    later crosses the other between the same two steps, and can go on with its events from there, in less time.
    """
    times = _strict_times(scope) if scope.definition.order is Order.STRICT else _times(scope)
    return (
        f"with folded as materialized (select actor, list, {_reached(scope)} as state from {table} where not is_tied),"
        " found as (select actor, list, state.done as done, state.latest as latest, state.reached as reached,"
        f" state.reached >> {_bits(scope)} as ended from folded where state.done > 0)"
        f" select actor, done, latest, case when done = 1 then [ended] else {times} end as times from found"
    )


def _t(scope: Scope) -> str:
    return f"(e >> {_bits(scope)})"


def _satisfies(step: int) -> str:
    return f"e & {1 << (step - 1)} > 0"


def _breaks(scope: Scope, done: int) -> str | None:
    """Whether an event breaks paths with so many steps done; None where none does."""
    steps = len(scope.definition.steps)
    bits = sum(
        1 << (steps + bit) for bit, one in enumerate(scope.definition.exclude) if one.from_step <= done < one.to_step
    )
    return f"e & {bits} > 0" if bits else None


def _reached(scope: Scope) -> str:
    """Fold: `l<n>` is the latest start of a path alive with n steps, `reached` the first event that got furthest."""
    steps = range(1, len(scope.definition.steps) + 1)
    arrives = {step: f"{_satisfies(step)} and {_t(scope)} - s.l{step - 1} <= {scope.window}" for step in steps}
    arrives[1] = f"{_satisfies(1)} and {_t(scope)} < {scope.span}"
    start = {step: f"s.l{step - 1}" if step > 1 else _t(scope) for step in steps}
    furthest = list(reversed(steps))
    level = f"case {' '.join(f'when {arrives[step]} then {step}' for step in furthest)} else 0 end"
    begun = f"case {' '.join(f'when {arrives[step]} then {start[step]}' for step in furthest)} end"
    state = [f"'l{step}': {_alive(scope, step, arrives[step], start[step])}" for step in steps[:-1]]
    state += [
        f"'done': greatest(s.done, {level})",
        f"'reached': case when {level} > s.done then e else s.reached end",
        f"'latest': case when {level} >= s.done then coalesce({begun}, s.latest) else s.latest end",
    ]
    empty = ", ".join(f"'l{step}': null::bigint" for step in steps[:-1])
    return (
        f"list_reduce(list, lambda s, e: {{{', '.join(state)}}},"
        f" {{{empty}, 'done': 0, 'reached': null::bigint, 'latest': null::bigint}})"
    )


def _alive(scope: Scope, step: int, arrives: str, start: str) -> str:
    """A start that arrives is later than the one there; `strict` lets no path live through another event."""
    if scope.definition.order is Order.STRICT:
        return f"case when {arrives} then {start} end"
    breaks = _breaks(scope, step)
    ends = f" when {breaks} then null" if breaks else ""
    return f"case when {arrives} then {start}{ends} else s.l{step} end"


def _strict_times(scope: Scope) -> str:
    """Nothing lies between the steps, so they are the last events."""
    last = "list_slice(list, list_position(list, reached) - done + 1, list_position(list, reached))"
    return f"list_transform({last}, lambda e: {_t(scope)})"


def _times(scope: Scope) -> str:
    """Times of the earliest path to the last event, among those that lie in one window with it."""
    inside = f"list_filter(list, lambda e: e < reached and {_t(scope)} >= ended - {scope.window})"
    if scope.definition.exclude:
        return f"list_append({_unbroken(scope, inside)}, ended)"
    takes = "len(p) < done - 1 and e & (1 << len(p)) > 0"
    greedy = f"list_reduce({inside}, lambda p, e: case when {takes} then list_append(p, {_t(scope)}) else p end"
    return f"list_append({greedy}, []::bigint[]), ended)"


def _unbroken(scope: Scope, inside: str) -> str:
    """Fold: `p<n>_<i>` is the time of step i of the earliest path alive with n steps.

    A path that is alive is earlier than all that come to as many steps later, and has the same chances.
    """
    longest = range(1, len(scope.definition.steps))
    state = []
    for done in longest:
        breaks = _breaks(scope, done)
        lives = f"s.p{done}_1 is not null" + (f" and not ({breaks})" if breaks else "")
        arrives = _satisfies(done) + (
            f" and s.p{done - 1}_1 is not null" if done > 1 else f" and {_t(scope)} < {scope.span}"
        )
        for step in range(1, done + 1):
            given = _t(scope) if step == done else f"s.p{done - 1}_{step}"
            state.append(f"'p{done}_{step}': case when {lives} then s.p{done}_{step} when {arrives} then {given} end")
    empty = ", ".join(f"'p{done}_{step}': null::bigint" for done in longest for step in range(1, done + 1))
    # The fold is written once: a copy of it per number of steps would be folded each.
    fold = f"[list_reduce({inside}, lambda s, e: {{{', '.join(state)}}}, {{{empty}}})]"
    arms = " ".join(
        f"when {done + 1} then [{', '.join(f'p.p{done}_{step}' for step in range(1, done + 1))}]" for done in longest
    )
    return f"list_transform({fold}, lambda p: case done {arms} end)[1]"
