"""The usual funnel: ordered steps that no event shares, without exclusions. Whole columns at once.

An event is one number, its time and its step. DuckDB makes the sorted list of each actor's events; here the lists of
many actors lie one after the other in one array, and each step looks up what it needs of the step before by position.
The counted path is that of `funnel_paths`; docs/funnels.md has the rules.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventmill.analysis.filter_sql import to_sql
from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_events import Scope, relevant

Numbers = npt.NDArray[np.int64]
_STEP_BITS = 5
_STEPS = (1 << _STEP_BITS) - 1
# Actors whose lists are folded together.
_BATCH_ACTORS = 65_536


def paths(connection: duckdb.DuckDBPyConnection, scope: Scope) -> pa.Table:
    """Rows (actor, done, latest, times) of `funnel_paths`, in no order."""
    sql, parameters = _lists(scope)
    lists = connection.sql(sql, params=parameters).to_arrow_reader(_BATCH_ACTORS)
    steps = len(scope.definition.steps)
    schema = _schema(lists.schema.field("actor").type)
    return pa.Table.from_batches([folded for batch in lists for folded in _folded(batch, steps, scope.window)], schema)


def _lists(scope: Scope) -> Sql:
    """Query of (actor, list): the sorted events of each actor, null where none is a step.

    A step is told once for each event: a condition on it would tell it again.
    """
    filters = [step.filter for step in scope.definition.steps]
    cases, parameters = [], []
    for number, chosen in enumerate(filters, 1):
        sql, values = to_sql(chosen)
        # A start after the range is of no use.
        cases.append(f"when {sql}{f' and t < {scope.span}' if number == 1 else ''} then t << {_STEP_BITS} | {number}")
        parameters += values
    condition, bounds = relevant(scope)
    types = [chosen.event_type for chosen in filters if chosen.event_type is not None]
    if len(types) == len(filters):
        condition += f" and event_type in ({', '.join('?' * len(types))})"
        bounds += types
    rows = f"select *, {scope.key} as funnel_actor, epoch_us(event_time) - {scope.start} as t from {scope.events}"
    events = f"select funnel_actor as actor, case {' '.join(cases)} end as event from ({rows}) where {condition}"
    sql = f"select actor, list_sort(list(event) filter (event is not null)) as list from ({events}) group by actor"
    return sql, [*parameters, *bounds]


def _schema(actor: pa.DataType) -> pa.Schema:
    times = pa.list_(pa.int64())
    return pa.schema([("actor", actor), ("done", pa.int8()), ("latest", pa.int64()), ("times", times)])


def _folded(batch: pa.RecordBatch, steps: int, window: int) -> Iterator[pa.RecordBatch]:
    """The paths of one batch's actors; of none where nobody starts."""
    lists = batch.column("list")
    # The batch may be a part of a longer array.
    ends = lists.offsets.to_numpy().astype(np.int64) - lists.offsets[0].as_py()
    events = lists.flatten().to_numpy()
    found = fold(events, ends, steps, window)
    if len(found.actors):
        arrays = [
            batch.column("actor").take(pa.array(found.actors)),
            pa.array(found.done, pa.int8()),
            pa.array(found.latest),
            pa.ListArray.from_arrays(pa.array(found.ends, pa.int32()), pa.array(found.times)),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=_schema(batch.column("actor").type))


class Paths:
    """Paths of the actors (by place) that have one: `times` of one after the other, that of path i up to `ends[i + 1]`.

    `done` steps, the `latest` start of a path with so many, and when the earliest one did each step.
    """

    def __init__(self, actors: Numbers, done: Numbers, latest: Numbers) -> None:
        self.actors, self.done, self.latest = actors, done, latest
        self.ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(done)])
        self.times = np.zeros(int(self.ends[-1]), np.int64)


def fold(events: Numbers, ends: Numbers, steps: int, window: int) -> Paths:
    """The path of each actor, whose sorted events lie from `ends[i]` to `ends[i + 1]` of `events`.

    An event is `time << 5 | step`. Of paths that have as many steps done, the one that started last has all the chances
    of the others, and a longer window: with each event goes the latest start of a path that it completes so far (the
    state behind ClickHouse's windowFunnel).
    """
    times, kinds = events >> _STEP_BITS, events & _STEPS
    places = [np.flatnonzero(kinds == step) for step in range(1, steps + 1)]
    # Of the events that complete a path up to a step: where they lie, and where that path starts.
    owners = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    reached = starts = places[0]
    levels = [(reached, starts)]
    for step in range(1, steps):
        reached, starts = _next_level(places[step], reached, starts, times, owners, window)
        levels.append((reached, starts))
    return _paths(levels, places, times, owners, ends, window)


def _next_level(
    here: Numbers, reached: Numbers, starts: Numbers, times: Numbers, owners: Numbers, window: int
) -> tuple[Numbers, Numbers]:
    """Those events of the next step that a path of the same actor gets to within its window."""
    before = np.searchsorted(reached, here) - 1
    here, before = here[before >= 0], before[before >= 0]
    is_same = owners[reached[before]] == owners[here]
    here, start = here[is_same], starts[before[is_same]]
    fits = times[here] - times[start] <= window
    return here[fits], start[fits]


def _paths(
    levels: list[tuple[Numbers, Numbers]],
    places: list[Numbers],
    times: Numbers,
    owners: Numbers,
    ends: Numbers,
    window: int,
) -> Paths:
    count = len(ends) - 1
    done, latest, end = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    for step, (reached, starts) in enumerate(levels, 1):
        actors = owners[reached]
        is_first = np.diff(actors, prepend=-1) > 0
        is_last = np.diff(actors, append=count) > 0
        done[actors[is_first]] = step
        # The first event that completes the longest path also ends the earliest one.
        end[actors[is_first]] = reached[is_first]
        latest[actors[is_last]] = times[starts[is_last]]
    actors = np.flatnonzero(done)
    found = Paths(actors, done[actors], latest[actors])
    here = _earliest_starts(places[0], end[actors], times, ends[actors], window, found.done)
    for step in range(1, len(places) + 1):
        found.times[found.ends[:-1][found.done >= step] + step - 1] = times[here[found.done >= step]]
        if step < len(places):
            goes_on = found.done > step
            here[goes_on] = places[step][np.searchsorted(places[step], here[goes_on], side="right")]
    return found


def _earliest_starts(
    starts: Numbers, end: Numbers, times: Numbers, first: Numbers, window: int, done: Numbers
) -> Numbers:
    """Where the first start lies whose window holds the end of each path.

    Every start before the one that got there, and within the window, can go on with the steps of that one.
    """
    low, high = np.searchsorted(starts, first), np.searchsorted(starts, end, side="right")
    wanted = np.where(done > 1, times[end] - window, np.iinfo(np.int64).min)
    # A binary search of each actor among the starts of its own.
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_early = times[starts[np.minimum(middle, len(starts) - 1)]] < wanted
        low = np.where(is_open & is_early, middle + 1, low)
        high = np.where(is_open & ~is_early, middle, high)
    found: Numbers = starts[low]
    return found
