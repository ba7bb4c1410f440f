"""Parts of a question that whole local days answer: what actors and sessions did on each, by one dimension.

Actors and sessions are told apart by 64-bit keys of their texts.
"""

from collections.abc import Sequence

from query_service.lake.jobs import Value
from query_service.lake.question_sql import Part, dimension_columns, key_columns, where
from query_service.query.catalog import EVENT_CUTS, METRIC, Measure
from query_service.query.spec import QuerySpec

TOTAL = "total"
_PEOPLE = {"unique_users", "unique_visitors", "dau", "wau", "mau"}
# A longer value is kept cut off.
_LONGEST_VALUE = 500


def fits(spec: QuerySpec, measures: Sequence[Measure]) -> bool:
    """Whether the measures of events can be counted from days, which the range must be made of."""
    fields = {*spec.dimensions, *(one.field for one in spec.filters)}
    are_short = all(len(str(value)) < _LONGEST_VALUE for one in spec.filters for value in one.values)
    is_of_events = all(measure.rollup is METRIC for measure in measures)
    return is_of_events and len(fields) <= 1 and fields <= EVENT_CUTS and are_short


def day_parts(spec: QuerySpec, measures: Sequence[Measure]) -> list[Part]:
    """Parts of the measures that are those of events; `fits` said yes."""
    names = tuple(measure.name for measure in measures if measure.rollup is METRIC)
    of_actors = tuple(name for name in names if name != "unique_sessions")
    parts = [_actors(spec, of_actors)] if of_actors else []
    return [*parts, _sessions(spec)] if "unique_sessions" in names else parts


def tables(measures: Sequence[Measure]) -> list[str]:
    """The day tables behind `day_parts`."""
    names = {measure.name for measure in measures if measure.rollup is METRIC}
    of_actors = ["actor_days"] if names - {"unique_sessions"} else []
    return [*of_actors, "session_days"] if "unique_sessions" in names else of_actors


def _rows(spec: QuerySpec, table: str, columns: Sequence[str], extra: str) -> tuple[str, list[Value]]:
    """Query of the table's rows with their bucket, the dimension as `d0` and `columns`."""
    fields = {*spec.dimensions, *(one.field for one in spec.filters)}
    field = next(iter(fields), None)
    value = "case when value_kind = 'value' then value end"
    kept = ["bucket"] if spec.granularity else []
    kept += [f"{value} as {name}" for name in dimension_columns(spec)]
    join = " inner join day_buckets using (local_date)" if spec.granularity else ""
    # The filter's field has its own name here.
    named = f"select *, {value} as {field} from {table}" if field and spec.filters else f"from {table}"
    condition, bound = where(spec.filters)
    sql = (
        f"select {', '.join([*kept, *columns])} from ({named}) as days{join}"
        f" where dimension = '{field or TOTAL}' and {extra} and {condition}"
    )
    return sql, bound


def _actors(spec: QuerySpec, measures: tuple[str, ...]) -> Part:
    own = "" if spec.include_bots else "human_"
    columns = ["hash(actor) as actor", "is_user", "events", f"{own}events as own_events", f"{own}page_views as views"]
    sql, values = _rows(spec, "actor_days", columns, "true" if "events" in measures else f"{own}events > 0")
    names = "".join(f"{name}, " for name in key_columns(spec))
    if not _PEOPLE & set(measures):
        by_actor = sql
    else:
        by_actor = (
            f"select {names}actor, bool_or(is_user) as is_user, sum(events) as events, sum(own_events) as own_events,"
            f" sum(views) as views from ({sql}) group by all"
        )
    counts = {"events": "sum(events)::bigint", "page_views": "sum(views)::bigint"}
    counts |= dict.fromkeys(_PEOPLE, "count(*) filter (own_events > 0)")
    counts["unique_users"] = "count(*) filter (own_events > 0 and is_user)"
    counted = ", ".join(f"{counts[name]} as {name}" for name in measures)
    return Part(f"select {names}{counted} from ({by_actor}){_by(spec)}", tuple(values), measures)


def _sessions(spec: QuerySpec) -> Part:
    traffics = "('both', 'all')" if spec.include_bots else "('both', 'human')"
    sql, values = _rows(spec, "session_days", ["hash(session_key) as session_key"], f"traffic in {traffics}")
    names = "".join(f"{name}, " for name in key_columns(spec))
    distinct = f"select distinct {names}session_key from ({sql})"
    counted = f"select {names}count(*) as unique_sessions from ({distinct}){_by(spec)}"
    return Part(counted, tuple(values), ("unique_sessions",))


def _by(spec: QuerySpec) -> str:
    names = key_columns(spec)
    return f" group by {', '.join(names)}" if names else ""
