"""The part of a question that is counted from sessions: by when they began and what they entered with."""

from collections.abc import Sequence
from dataclasses import replace

from eventmill.analysis.filters import Condition
from query_service.lake import event_sql
from query_service.lake.question_sql import Part, dimension_columns, key_columns, where
from query_service.query.catalog import ENTRY_OF, SESSION, Measure
from query_service.query.spec import QuerySpec

# Filters know the fields of events: the pages of a session stand under the names of two that it does not have.
_STANDS_FOR = {"entry_page": "page_url", "exit_page": "page_title"}
_ROWS = "(select *, entry_page as page_url, exit_page as page_title from sessions)"
_COUNTS = {
    "sessions_started": "count(*)",
    "goal_sessions": "count(*)",
    "sessions_with_views": "count(*) filter (views > 0)",
    "bounces": "count(*) filter (is_bounce)",
    "session_duration": "sum(epoch_us(ended_at) - epoch_us(started_at)) / 1e6",
    "session_views": "sum(views)::bigint",
}


def session_parts(spec: QuerySpec, measures: Sequence[Measure]) -> list[Part]:
    """At most one part. A question about sessions has filters on what sessions have alone."""
    names = tuple(measure.name for measure in measures if measure.rollup is SESSION)
    if not names:
        return []
    entered, values = where([_renamed(one) for one in spec.filters])
    buckets, join = event_sql.bucket(spec, "started_at")
    traffics = "('both', 'all')" if spec.include_bots else "('both', 'human')"
    cuts = [f"{ENTRY_OF.get(name, name)} as {column}" for name, column in _columns(spec)]
    start, end = event_sql.bounds(spec)
    rows = (
        f"select {', '.join([*buckets, *cuts, 'sessions.*'])} from {_ROWS} as sessions{join}"
        f" where traffic in {traffics}"
        f" and started_at >= make_timestamptz({start}) and started_at < make_timestamptz({end}) and {entered}"
    )
    keys = key_columns(spec)
    columns = [*keys, *(f"{_COUNTS[name]} as {name}" for name in names)]
    by = f" group by {', '.join(keys)}" if keys else ""
    return [Part(f"select {', '.join(columns)} from ({rows}){by}", tuple(values), names)]


def _columns(spec: QuerySpec) -> list[tuple[str, str]]:
    return list(zip(spec.dimensions, dimension_columns(spec), strict=True))


def _renamed(condition: Condition) -> Condition:
    return replace(condition, field=_STANDS_FOR.get(condition.field, condition.field))
