"""Funnels: how many actors went through steps within a window, by the rules of docs/funnels.md.

`run` finds the counted path of every actor and counts them. Steps that no event shares take the short way; repeated or
overlapping steps, exclusions and `strict` take one that follows every instant's events; both are held to the same
reference in the tests.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
import pyarrow as pa

from eventmill.analysis import funnel_any, funnel_fold, funnel_moments, funnel_paths
from eventmill.analysis.filters import Sql
from eventmill.analysis.funnel_definition import FunnelDefinition, Order
from eventmill.analysis.funnel_events import Scope, entries, masked
from eventmill.analysis.funnel_rows import FunnelStepRow, step_rows
from eventmill.analysis.funnel_shapes import Shape, moves

__all__ = ["FunnelStepRow", "Group", "people", "run"]

_PATHS, _ENTRIES, _LISTS, _INSTANTS = "funnel_paths", "funnel_entries", "funnel_lists", "funnel_instants"
_SHAPES = pa.schema([("masks", pa.list_(pa.int32())), ("excluded", pa.int32()), ("moves", pa.list_(pa.int64()))])
_FOUND = pa.schema(
    [("actor", pa.string()), ("done", pa.int8()), ("latest", pa.int64()), ("times", pa.list_(pa.int64()))]
)
_COLUMNS = "(actor varchar, done tinyint, latest bigint, times bigint[])"
_BATCH_ACTORS = 10_000
# A value of the breakdown, None where it is not set.
Group = tuple[str | None]


def run(
    connection: duckdb.DuckDBPyConnection,
    definition: FunnelDefinition,
    events: str = "actor_events",
    *,
    complete_through: datetime | None,
) -> list[FunnelStepRow]:
    """The answer, step by step: the total, then the rows of the breakdown.

    `events` is a relation with the columns of `actor_events`, and `session_key` where sessions are counted; all of one
    app, from the start of the range to one window after its end. It is read twice where there is a breakdown. Without
    `complete_through` nothing is known to be complete. Raises ValueError where the funnel has no range.
    """
    scope = Scope.of(definition, events)
    with _tables(connection):
        _find_paths(connection, scope)
        if definition.breakdown is not None:
            sql, parameters = entries(scope, _PATHS)
            connection.execute(f"create or replace temp table {_ENTRIES} as {sql}", parameters)
        return step_rows(connection, scope, complete_through, _PATHS, _ENTRIES)


def people(
    connection: duckdb.DuckDBPyConnection,
    definition: FunnelDefinition,
    events: str = "actor_events",
    *,
    step: int,
    is_dropped: bool = False,
    group: Group | None = None,
) -> pa.Table:
    """Rows actor, in no order: those who did `step` steps at least, or with `is_dropped` no more than that.

    They are those that `run` counts in `users`; with `group` those of one value of the breakdown. Where sessions are
    counted they are keys of sessions. Raises ValueError where the funnel has no range.
    """
    scope = Scope.of(definition, events)
    with _tables(connection):
        _find_paths(connection, scope)
        reached = f"done {'=' if is_dropped else '>='} {int(step)}"
        if group is None:
            return connection.sql(f"select actor from {_PATHS} where {reached}").to_arrow_table()
        sql, parameters = entries(scope, _PATHS)
        connection.execute(f"create or replace temp table {_ENTRIES} as {sql}", parameters)
        chosen = f"select actor from {_PATHS} join {_ENTRIES} using (actor) where {reached}"
        return connection.sql(f"{chosen} and value is not distinct from ?", params=list(group)).to_arrow_table()


@contextmanager
def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    try:
        yield
    finally:
        for name in (_PATHS, _ENTRIES, _LISTS, _INSTANTS):
            connection.execute(f"drop table if exists temp.{name}")


def _find_paths(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    definition = scope.definition
    if definition.order is Order.ANY:
        if scope.has_distinct_steps:
            _keep(connection, _PATHS, funnel_any.distinct_any(scope))
        else:
            _match(connection, scope)
    elif definition.order is Order.ORDERED and scope.has_distinct_steps and not definition.exclude:
        _keep_rows(connection, _PATHS, funnel_fold.paths(connection, scope))
    elif funnel_moments.fits(scope):
        _split(connection, scope)
    else:
        _keep(connection, _INSTANTS, funnel_paths.instants(scope))
        connection.execute(f"create or replace temp table {_PATHS} {_COLUMNS}")
        _move(connection, scope)


def _split(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Actors with events at one time go the longer way."""
    _keep(connection, _LISTS, funnel_moments.lists(scope))
    _keep(connection, _PATHS, (funnel_moments.paths(scope, _LISTS), []))
    _keep(connection, _INSTANTS, (funnel_moments.tied_instants(scope, _LISTS), []))
    _move(connection, scope)


def _keep(connection: duckdb.DuckDBPyConnection, name: str, query: Sql) -> None:
    sql, parameters = query
    connection.execute(f"create or replace temp table {name} as {sql}", parameters)


def _keep_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("funnel_found", rows)
    try:
        _keep(connection, name, ("from funnel_found", []))
    finally:
        connection.unregister("funnel_found")


def _move(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Follow the moves of every instant; there are few kinds of instants, whose moves are worked out once."""
    kinds = connection.execute(f"select distinct masks, excluded from {_INSTANTS}").fetchall()
    if not kinds:
        return
    found = [moves(Shape(tuple(masks), excluded), scope.definition) for masks, excluded in kinds]
    shapes = [
        {"masks": masks, "excluded": excluded, "moves": [move.code for move in made]}
        for (masks, excluded), made in zip(kinds, found, strict=True)
    ]
    known = {move for made in found for move in made}
    connection.register("funnel_shapes", pa.Table.from_pylist(shapes, schema=_SHAPES))
    try:
        connection.execute(f"insert into {_PATHS} {funnel_paths.moved(scope, known, _INSTANTS, 'funnel_shapes')}")
    finally:
        connection.unregister("funnel_shapes")


def _match(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Assign events to steps actor by actor."""
    query, parameters = masked(scope)
    connection.execute(
        "select actor, list_sort(list({'t': t, 'mask': mask, 'excluded': excluded})) as happened"
        f" from ({query}) group by actor having count(*) filter (mask > 0 and t < {scope.span}) > 0",
        parameters,
    )
    found = [_FOUND.empty_table()]
    while rows := connection.fetchmany(_BATCH_ACTORS):
        found.append(pa.Table.from_pylist([_matched(scope, *row) for row in rows], schema=_FOUND))
    _keep_rows(connection, _PATHS, pa.concat_tables(found))


def _matched(scope: Scope, actor: str, happened: list[dict[str, int]]) -> dict[str, object]:
    events = [funnel_any.Happened(one["t"], one["mask"], one["excluded"] > 0) for one in happened]
    path = funnel_any.matched(events, len(scope.definition.steps), scope.span, scope.window)
    if path is None:
        msg = "an actor without a start was not left out"
        raise RuntimeError(msg)
    return {"actor": actor, **path._asdict()}
