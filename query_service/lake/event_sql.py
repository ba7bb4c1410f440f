"""Parts of a question that are counted from events: views, people, sessions.

People are counted by 64-bit keys of their ids. Rows are first added up by the id that the event itself names, and only
then by the person whom that id belongs to: there are far fewer ids than events.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from query_service.lake.jobs import Value
from query_service.lake.question_sql import VIEWS, Part, dimension_columns, key_columns, texts, where
from query_service.query.catalog import METRIC, Measure
from query_service.query.spec import QuerySpec

# Events lie in quarters of an hour, of which the periods of every zone are made.
QUARTER_US, MINUTE_US = 900_000_000, 60_000_000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_IS_VIEW = f"event_type in {VIEWS}"
_PEOPLE = {"unique_users", "unique_visitors", "dau", "wau", "mau"}
SESSION_RELATION = "session_spans"


def event_parts(spec: QuerySpec, measures: Sequence[Measure]) -> list[Part]:
    """Parts of the measures that are those of events."""
    wanted = [measure for measure in measures if measure.rollup is METRIC]
    counts = tuple(measure.name for measure in wanted if measure.name in {"events", "page_views"})
    people = tuple(measure.name for measure in wanted if measure.name in _PEOPLE)
    parts = []
    if people:
        parts.append(_people(spec, (*counts, *people)))
    elif counts:
        parts.append(_counts(spec, counts))
    if any(measure.name == "unique_sessions" for measure in wanted):
        parts.append(_sessions(spec))
    return parts


def counted(spec: QuerySpec) -> str:
    """Condition of the events that count in all but `events`."""
    return "true" if spec.include_bots else "not is_bot"


def bounds(spec: QuerySpec) -> tuple[int, int]:
    """Microseconds since 1970 of the range's start and end."""
    start, end = (microseconds(at) for at in spec.range.instants)
    return start, end


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def conditions(spec: QuerySpec, extra: str = "true") -> tuple[str, list[Value]]:
    """The question's own conditions on events: a page, as a cut or a filter, is one that was viewed."""
    sql, values = where(spec.filters)
    is_of_pages = "page_url" in spec.dimensions or any(one.field == "page_url" for one in spec.filters)
    found = (extra, _IS_VIEW if is_of_pages else "true", sql)
    return " and ".join(one for one in found if one != "true") or "true", values


def bucket(spec: QuerySpec, instant: str = "event_time") -> tuple[list[str], str]:
    """The column `bucket`, and the join that it takes."""
    if spec.granularity is None:
        return [], ""
    step = MINUTE_US if spec.granularity == "minute" else QUARTER_US
    return ["bucket"], f" inner join buckets on epoch_us({instant}) // {step} = buckets.step"


def _events(spec: QuerySpec, columns: Sequence[str], extra: str = "true") -> tuple[str, list[Value]]:
    """Query of the events that count, with their bucket, dimensions and `columns`."""
    names, join = bucket(spec)
    dimensions, paths = texts(spec)
    condition, bound = conditions(spec, extra)
    sql = f"select {', '.join([*names, *dimensions, *columns])} from lake{join} where {condition}"
    return sql, [*paths, *bound]


def _only_counted(spec: QuerySpec, measures: Sequence[str]) -> str:
    return "true" if "events" in measures else counted(spec)


def _counts(spec: QuerySpec, measures: tuple[str, ...]) -> Part:
    sql, values = _events(spec, ["is_bot", "event_type"], _only_counted(spec, measures))
    counts = {"events": "count(*)", "page_views": f"count(*) filter ({counted(spec)} and {_IS_VIEW})"}
    columns = [*_stored(spec), *(f"{counts[name]} as {name}" for name in measures)]
    return Part(f"select {', '.join(columns)} from ({sql}){_by(spec)}", tuple(values), measures)


def _people(spec: QuerySpec, measures: tuple[str, ...]) -> Part:
    keys = ["raw_key_of(user_id, anonymous_id, session_id) as raw_key", "user_id is not null as is_user"]
    sql, values = _events(spec, [*keys, "is_bot", "event_type"], _only_counted(spec, measures))
    has_views = "page_views" in measures
    views = f", count(*) filter ({counted(spec)} and {_IS_VIEW}) as page_views" if has_views else ""
    added = ", sum(page_views) as page_views" if has_views else ""
    names = "".join(f"{name}, " for name in key_columns(spec))
    by_id = (
        f"select {names}raw_key, bool_or(is_user) as is_user, bool_or({counted(spec)}) as is_counted,"
        f" count(*) as events{views} from ({sql}) group by all"
    )
    by_person = (
        f"select {''.join(f'{column}, ' for column in _stored(spec))}coalesce(actor_key, raw_key) as actor,"
        f" bool_or(is_user or actor_key is not null) as is_user, bool_or(is_counted) as is_counted,"
        f" sum(events) as events{added} from ({by_id}) left join stitched_key using (raw_key) group by all"
    )
    counts = {"events": "sum(events)::bigint", "page_views": "sum(page_views)::bigint"}
    counts |= dict.fromkeys(_PEOPLE, "count(*) filter (is_counted)")
    counts["unique_users"] = "count(*) filter (is_counted and is_user)"
    columns = [*key_columns(spec), *(f"{counts[name]} as {name}" for name in measures)]
    return Part(f"select {', '.join(columns)} from ({by_person}){_by(spec)}", tuple(values), measures)


def _sessions(spec: QuerySpec) -> Part:
    sql, values = session_keys(spec)
    names = "".join(f"{name}, " for name in key_columns(spec))
    stored = "".join(f"{column}, " for column in _stored(spec))
    distinct = f"select distinct {stored}session_key from ({sql}) where session_key is not null"
    return Part(f"select {names}count(*) as unique_sessions from ({distinct}){_by(spec)}", tuple(values), _SESSIONS)


_SESSIONS = ("unique_sessions",)


def session_keys(spec: QuerySpec) -> tuple[str, list[Value]]:
    """Query of (bucket, dimensions, session_key): a key of the session of each event that counts, null without one.

    A session is the last one of its key that began before the event and is not over: a client's ends with a pause of
    24 hours, another one with half an hour. One that the day tables do not know yet is told by its key alone. An event
    of a server joins a session for twelve hours, or one that begins within half an hour; by itself it makes none.
    """
    run_key = (
        "case when session_id is not null then hash(session_id, 4)"
        " else coalesce(actor_key, raw_key_of(user_id, anonymous_id, session_id)) end"
    )
    columns = [*_OF_SESSIONS, "event_time", f"{run_key} as run_key"]
    names, join = bucket(spec)
    dimensions, paths = texts(spec)
    can_have_one = f"{counted(spec)} and (session_id is not null or source <> 'server')"
    condition, bound = conditions(spec, can_have_one)
    events = (
        f"select {', '.join([*names, *dimensions, *columns])} from lake{join} left join stitched_key"
        f" on {_STITCHED} where {condition}"
    )
    kept = "".join(f"event.{name}, " for name in key_columns(spec))
    return f"select {kept}{_SESSION_KEY} as session_key from ({events}) as event{_SPANS}", [*paths, *bound]


_STITCHED = "case when user_id is null then hash(anonymous_id, 2) end = stitched_key.raw_key"
_OF_SESSIONS = ("session_id is not null as has_id", "source = 'server' as is_server")
_SESSION_KEY = (
    "case"
    " when event.event_time <= earlier.ended_at then earlier.session_key"
    " when is_server and event.event_time <= earlier.started_at + interval 12 hours then earlier.session_key"
    " when is_server and later.started_at <= event.event_time + interval 30 minutes then later.session_key"
    " when is_server then null"
    " when event.event_time <= earlier.ended_at + case when has_id then interval 24 hours else interval 30 minutes end"
    " then earlier.session_key"
    " else event.run_key end"
)
_SPANS = (
    f" asof left join {SESSION_RELATION} as earlier"
    " on event.run_key = earlier.run_key and event.event_time >= earlier.started_at"
    f" asof left join {SESSION_RELATION} as later"
    " on event.run_key = later.run_key and event.event_time <= later.started_at"
)
# `actor_events` with numbers for actors: quicker to group by.
KEYED_EVENTS = (
    "create or replace temp view keyed_events as select lake.*, place_of(stream_seq, row_no) as place,"
    " coalesce(actor_key, raw_key_of(user_id, anonymous_id, session_id)) as actor"
    f" from lake left join stitched_key on {_STITCHED}"
)
# `actor_events` that belong to a session, each with its `session_key`.
SESSION_EVENTS = (
    f"create or replace temp view session_events as select * from (select event.* exclude (run_key, has_id, is_server),"
    f" {_SESSION_KEY} as session_key from (select *, {', '.join(_OF_SESSIONS)}, case when session_id is not null"
    " then hash(session_id, 4) else text_key_of(actor) end as run_key from actor_events"
    f" where session_id is not null or source <> 'server') as event{_SPANS}) where session_key is not null"
)


def session_spans(spec: QuerySpec) -> str:
    """Statement that makes `session_spans` of the day table `sessions`."""
    return spans_statement(include_bots=spec.include_bots)


def spans_statement(*, include_bots: bool) -> str:
    """As `session_spans`."""
    traffics = "('both', 'all')" if include_bots else "('both', 'human')"
    return (
        f"create or replace temp table {SESSION_RELATION} as select"
        " case when session_id is not null then hash(session_id, 4) else text_key_of(actor) end as run_key,"
        f" hash(session_key, 5) as session_key, started_at, ended_at from sessions where traffic in {traffics}"
    )


def _stored(spec: QuerySpec) -> list[str]:
    """Key columns as the rollups store them."""
    return [
        *(["bucket"] if spec.granularity else []),
        *(f"storable({name}) as {name}" for name in dimension_columns(spec)),
    ]


def _by(spec: QuerySpec) -> str:
    names = key_columns(spec)
    return f" group by {', '.join(names)}" if names else ""
