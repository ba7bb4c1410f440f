"""The part of a question that is counted from sessions: by when they began and what they entered with."""

from collections.abc import Sequence
from dataclasses import replace

from eventmill.analysis.filters import Condition
from query_service.lake import event_sql
from query_service.lake.jobs import Value
from query_service.lake.question_sql import Part, dimension_columns, key_columns, where
from query_service.query.catalog import ENTRY_OF, SESSION, SESSION_FIELDS, Measure
from query_service.query.spec import QuerySpec

# What a session is known by: the values of its first view, or of its first event.
FIELDS = frozenset(
    {*SESSION_FIELDS, "referrer_host", "channel", "utm_source", "utm_medium", "utm_campaign"}
    | {"country", "device_type", "os", "browser", "source", "app_version"}
)
_COUNTS = {
    "sessions_started": "count(*)",
    "goal_sessions": "count(*)",
    "sessions_with_views": "count(*) filter (views > 0)",
    "bounces": "count(*) filter (is_bounce)",
    "session_duration": "sum(epoch_us(ended_at) - epoch_us(started_at)) / 1e6",
    "session_views": "sum(views)::bigint",
}


def session_parts(spec: QuerySpec, measures: Sequence[Measure]) -> list[Part]:
    """At most one part; filters on what a session does not have ask for an event in it that meets them all."""
    names = tuple(measure.name for measure in measures if measure.rollup is SESSION)
    if not names:
        return []
    entered, values = where([_renamed(one) for one in spec.filters if _is_own(one)])
    having, bound = _having_event(spec, [one for one in spec.filters if not _is_own(one)])
    buckets, join = event_sql.bucket(spec, "started_at")
    traffics = "('both', 'all')" if spec.include_bots else "('both', 'human')"
    cuts = [f"{ENTRY_OF.get(name, name)} as {column}" for name, column in _columns(spec)]
    start, end = event_sql.bounds(spec)
    rows = (
        f"select {', '.join([*buckets, *cuts, 'sessions.*'])} from sessions{join} where traffic in {traffics}"
        f" and started_at >= make_timestamptz({start}) and started_at < make_timestamptz({end}) and {entered}{having}"
    )
    keys = key_columns(spec)
    columns = [*keys, *(f"{_COUNTS[name]} as {name}" for name in names)]
    by = f" group by {', '.join(keys)}" if keys else ""
    return [Part(f"select {', '.join(columns)} from ({rows}){by}", (*values, *bound), names)]


def needs_events(spec: QuerySpec, measures: Sequence[Measure]) -> bool:
    """Whether sessions are asked for by events in them."""
    is_of_sessions = any(measure.rollup is SESSION for measure in measures)
    return is_of_sessions and not all(_is_own(one) for one in spec.filters)


def _columns(spec: QuerySpec) -> list[tuple[str, str]]:
    return list(zip(spec.dimensions, dimension_columns(spec), strict=True))


def _is_own(condition: Condition) -> bool:
    return ENTRY_OF.get(condition.field, condition.field) in FIELDS


def _renamed(condition: Condition) -> Condition:
    return replace(condition, field=ENTRY_OF.get(condition.field, condition.field))


def _having_event(spec: QuerySpec, others: Sequence[Condition]) -> tuple[str, list[Value]]:
    """Condition of the sessions with an event that meets all of `others`."""
    if not others:
        return "", []
    asked = replace(spec, dimensions=(), granularity=None, filters=tuple(others))
    keys, values = event_sql.session_keys(asked, is_bounded=False)
    return f" and hash(session_key, 5) in (select session_key from ({keys}))", values
