"""Who is behind a number: people of a step of a funnel, a cohort, a cell of its retention, a row of a question.

A person is named by a token, which only this app's people have a meaning for.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from eventmill.analysis.funnel_definition import CountBy
from query_service.lake.jobs import Task
from query_service.lake.listing_sql import of_person, people_of_row
from query_service.query import spec as specs
from query_service.query.cursors import decode_offset, encode_offset
from query_service.query.errors import InvalidParameter
from query_service.query.event_list import EventList, parse_events
from query_service.query.lake_asking import Asked, LakeAsking
from query_service.query.lake_funnels import LakeFunnels, parse_funnel_query, parse_retention_query
from query_service.query.lake_meta import LakeRows, lake_meta, microseconds
from query_service.query.model import Tenant
from query_service.query.periods import next_start
from query_service.query.ranges import InstantRange
from query_service.query.spec import QuerySpec
from query_service.query.spec_fields import flag, limit, refuse_unknown

DEFAULT_ROWS, MAX_ROWS = 100, 1_000
_OF = ("funnel", "cohort", "retention", "query")
_FIELDS = ("app_id", "of", "limit", "cursor", "definition", "step", "dropped", "value", "cohort_date", "period_offset")
_MORE = ("row", "interval", "mode", "recurrence")
_KINDS = {"u": "user_id", "a": "anonymous_id", "s": "session_id"}
BOTS = "as in the number that they are behind"


class People:
    """Lists people of one app, in the order of their ids. Raises as LakeAsking does."""

    def __init__(self, asking: LakeAsking, funnels: LakeFunnels, events: EventList) -> None:
        self._asking, self._funnels, self._events = asking, funnels, events

    async def list(self, asked: Mapping[str, Any], tenant: Tenant, now: datetime) -> LakeRows:
        """Rows person, user_id, anonymous_id, session_id; `meta.total` is the number that they are behind."""
        refuse_unknown(asked, (*_FIELDS, *_MORE))
        if asked.get("of") not in _OF:
            raise InvalidParameter("of", "of says nothing that has people.", f"One of: {', '.join(_OF)}.")
        most = limit(asked.get("limit"), DEFAULT_ROWS, MAX_ROWS)
        name = _digest(asked, tenant)
        cursor = asked.get("cursor")
        offset = 0 if cursor is None else decode_offset(cursor, name)

        async def listed(through: datetime | None) -> LakeRows:
            found = self._asked(asked, tenant, now, through, {"most": most + 1, "offset": offset})
            table, body = await self._asking.run(found)
            people = table["actor"].to_pylist()
            following = encode_offset(offset + most, name) if len(people) > most else None
            meta = lake_meta(tenant, {}, through, bots=BOTS, total=body["total"], next_cursor=following)
            return LakeRows(data=[_person(actor) for actor in people[:most]], meta=meta)

        return await self._asking.at_last_commits(listed)

    async def timeline(self, person: str, asked: Mapping[str, Any], tenant: Tenant, now: datetime) -> LakeRows:
        """A person's events, the newest first; of somebody who is none there are none."""
        query = parse_events({"start": None, "end": None, **asked}, tenant, now)
        if asked.get("start") is None:
            query = replace(query, range=_ever(tenant, now))
        return await self._events.list(replace(query, only=of_person(actor_of(person))), include_people=True)

    def _asked(
        self, asked: Mapping[str, Any], tenant: Tenant, now: datetime, through: datetime | None, page: dict[str, int]
    ) -> Asked:
        match asked["of"]:
            case "funnel":
                return self._of_funnel(asked, tenant, now, through, page)
            case "query":
                return self._of_row(asked, tenant, now, page)
        options = {name: asked[name] for name in ("interval", "mode", "recurrence") if asked.get(name) is not None}
        query = parse_retention_query({**_object(asked, "definition"), **options}, tenant)
        cell = _cell(asked) if asked["of"] == "retention" else {}
        return self._funnels.retention_asked("retention_people", query, through, **cell, **page)

    def _of_funnel(
        self, asked: Mapping[str, Any], tenant: Tenant, now: datetime, through: datetime | None, page: dict[str, int]
    ) -> Asked:
        query = parse_funnel_query(_object(asked, "definition"), tenant, now)
        if query.definition.count_by is CountBy.SESSION:
            raise InvalidParameter("definition.count_by", "The funnel counts sessions.", "actor: it counts people.")
        step = limit(asked.get("step"), 1, len(query.definition.steps))
        more: dict[str, Any] = {"step": step, "is_dropped": flag("dropped", asked.get("dropped"))}
        if "value" in asked:
            if query.definition.breakdown is None:
                raise InvalidParameter("value", "The funnel has no breakdown.", "A definition with breakdown.")
            more["group"] = [_text("value", asked["value"])]
        task: Task = "funnel_people"
        return self._funnels.funnel_asked(task, query, through, **more, **page)

    def _of_row(self, asked: Mapping[str, Any], tenant: Tenant, now: datetime, page: dict[str, int]) -> Asked:
        question = {name: value for name, value in _object(asked, "definition").items() if name != "app_id"}
        spec = specs.parse(question, tenant, now)
        row = _object(asked, "row") if "row" in asked else {}
        refuse_unknown(row, (*spec.dimensions, *((specs.TIMESTAMP,) if spec.granularity else ())))
        about = _of_bucket(spec, row)
        if any(measure.rollup.is_by_entry for measure in spec.measures):
            raise InvalidParameter("definition.metrics", "Sessions are no people.", "Metrics of events.")
        people = people_of_row(about, [_text(f"row.{name}", row.get(name)) for name in spec.dimensions])
        start, end = (microseconds(at) for at in about.range.instants)
        arguments = {"people": msgspec.to_builtins(people), **page}
        return Asked("row_people", tenant.app_id, arguments, self._asking.events(tenant.app_id, start, end))


def _of_bucket(spec: QuerySpec, row: Mapping[str, Any]) -> QuerySpec:
    """The question about the one period of a row."""
    if spec.granularity is None:
        return spec
    try:
        at = datetime.fromisoformat(str(row.get(specs.TIMESTAMP)))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.astimezone(UTC) not in spec.buckets:
        raise InvalidParameter("row.timestamp", "The row's timestamp is none of the answer's.", "One of the answer's.")
    start = at.astimezone(UTC)
    end = min(
        next_start(start, spec.granularity, spec.tenant.time_zone, spec.tenant.week_start), spec.range.instants[1]
    )
    following = [other for other in spec.buckets if other > start]
    return replace(spec, range=InstantRange(start, min([end, *following[:1]]), spec.tenant.time_zone))


def _ever(tenant: Tenant, now: datetime) -> InstantRange:
    return InstantRange(datetime(1971, 1, 1, tzinfo=UTC), now.replace(year=now.year + 1, day=1), tenant.time_zone)


def _cell(asked: Mapping[str, Any]) -> dict[str, Any]:
    given, offset = asked.get("cohort_date"), asked.get("period_offset")
    try:
        day = date.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidParameter("cohort_date", "cohort_date is no day.", "The first day of a period, YYYY-MM-DD.")
    if offset is not None and (type(offset) is not int or not 0 <= offset <= 4_000):
        raise InvalidParameter("period_offset", "period_offset is no number of periods.", "A whole number, from 0.")
    return {"cohort_date": day.isoformat(), "period_offset": offset}


def _object(asked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = asked.get(name)
    if not isinstance(given, Mapping):
        raise InvalidParameter(name, f"{name} is no object.", "A JSON object: what the number was asked for with.")
    return given


def _text(field: str, given: object) -> str | None:
    if given is None or (isinstance(given, str) and len(given) <= MAX_ROWS):
        return given
    raise InvalidParameter(field, f"{field} is no value.", "A text of the answer, or null.")


def _digest(asked: Mapping[str, Any], tenant: Tenant) -> str:
    """Names a list without its page."""
    own = {name: value for name, value in sorted(asked.items()) if name not in {"cursor", "app_id"}}
    return hashlib.blake2b(msgspec.json.encode([tenant.app_id, own]), digest_size=12).hexdigest()


def _person(actor: str) -> dict[str, str | None]:
    token = base64.urlsafe_b64encode(actor.encode()).decode().rstrip("=")
    return {"person": token, **{name: actor[1:] if actor[:1] == kind else None for kind, name in _KINDS.items()}}


def actor_of(person: str) -> str:
    """The actor that a token names. Raises InvalidParameter."""
    try:
        actor = base64.urlsafe_b64decode(person.encode("ascii") + b"=" * (-len(person) % 4)).decode()
    except (binascii.Error, ValueError):
        actor = ""
    if actor[:1] not in _KINDS or "\x00" in actor:
        raise InvalidParameter("person", "The person is none.", "`person` of a list of people.")
    return actor
