"""Statements that list single events, and the people behind a row."""

from collections.abc import Sequence
from dataclasses import replace

from eventmill.analysis.filters import Condition
from query_service.lake import event_sql
from query_service.lake.jobs import Statement, Value
from query_service.lake.question_sql import texts as texts_of
from query_service.lake.question_sql import where
from query_service.query.spec import QuerySpec

COLUMNS = (
    *("event_id", "event_type", "event_name", "source", "page_url", "page_title", "referrer", "channel"),
    *("utm_source", "utm_medium", "utm_campaign", "device_type", "os", "browser", "country", "app_version"),
    *("duration_ms", "is_bot", "properties"),
)
IDS = ("user_id", "anonymous_id", "session_id")
ANY = Statement("true")
# The events of a person, who is a kind of id and the id; a user's are also those of the visitors that became it.
_OF_USER = Statement(
    "(user_id = ? or (user_id is null and anonymous_id in (select anonymous_id from stitched"
    " where stitched.app_id = lake.app_id and stitched.user_id = ?)))"
)
_OF_VISITOR = Statement(
    "user_id is null and anonymous_id = ? and anonymous_id not in (select anonymous_id from stitched"
    " where stitched.app_id = lake.app_id)"
)
_OF_SESSION = Statement("user_id is null and anonymous_id is null and session_id = ?")


def of_person(actor: str) -> Statement:
    """Condition of the events of an actor."""
    kind, name = actor[:1], actor[1:]
    found = {"u": _OF_USER, "a": _OF_VISITOR}.get(kind, _OF_SESSION)
    return Statement(found.sql, (name,) * found.sql.count("?"))


def newest_events(
    conditions: Sequence[Condition], after: tuple[int, int] | None, only: Statement, most: int
) -> Statement:
    """Rows event_us, received_us, place, COLUMNS and IDS: the newest that meet all, those after a place first."""
    condition, values = where(conditions)
    bound: list[Value] = []
    if after is not None:
        condition += " and (epoch_us(event_time), place_of(stream_seq, row_no)) < (?, ?)"
        bound += after
    sql = (
        "select epoch_us(event_time) as event_us, epoch_us(received_at) as received_us,"
        f" place_of(stream_seq, row_no) as place, {', '.join([*COLUMNS, *IDS])} from lake"
        f" where {condition} and {only.sql} order by event_us desc, place desc limit {int(most)}"
    )
    return Statement(sql, (*values, *bound, *only.values))


def people_of_row(spec: QuerySpec, values: Sequence[str | None]) -> Statement:
    """Query of actor: the visitors that a row with these values of the dimensions counts; `spec` is of its bucket."""
    condition, bound = event_sql.conditions(replace(spec, granularity=None), event_sql.counted(spec))
    texts, paths = texts_of(spec)
    chosen = "".join(f" and storable({text.rpartition(' as ')[0]}) is not distinct from ?" for text in texts)
    # A dimension's path stands before its value.
    own = [part for number, value in enumerate(values) for part in (*_path(paths, texts, number), value)]
    return Statement(f"select actor from actor_events where {condition}{chosen} group by actor", (*bound, *own))


def _path(paths: Sequence[Value], texts: Sequence[str], number: int) -> Sequence[Value]:
    before = sum(text.count("?") for text in texts[:number])
    return paths[before : before + texts[number].count("?")]
