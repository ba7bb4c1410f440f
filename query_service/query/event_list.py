"""Single events, newest first: the drill-down behind a number, and a person's timeline."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from eventmill.analysis.filters import Condition, Op, parse_conditions
from eventmill.contracts import limits
from eventmill.errors import DefinitionError
from query_service.lake.jobs import Statement
from query_service.lake.listing_sql import ANY, COLUMNS, IDS, newest_events
from query_service.query.date_words import parse_range
from query_service.query.errors import InvalidParameter
from query_service.query.lake_asking import Asked, LakeAsking
from query_service.query.lake_meta import LakeRows, instant, is_whole, lake_meta, microseconds
from query_service.query.model import Tenant
from query_service.query.periods import Range
from query_service.query.spec_fields import limit

DEFAULT_ROWS, MAX_ROWS = 100, 1_000
DEFAULT_RANGE = "7d"
BOTS = "shown, and marked by is_bot"
# The newest rows are looked for in the last hour before the end, then in more and more hours.
_FIRST_SPAN_US, _GROWTH = 3_600_000_000, 8
_CURSOR_RULE = "next_cursor of the previous page."
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: conditions that all hold, on one page after `after` (microseconds and place of a row).

    `only` restricts them further, by SQL of our own.
    """

    tenant: Tenant
    range: Range
    conditions: tuple[Condition, ...] = ()
    limit: int = DEFAULT_ROWS
    after: Place | None = None
    only: Statement = ANY


def parse_events(asked: Mapping[str, Any], tenant: Tenant, now: datetime) -> EventQuery:
    """Fields event_type, event_name, start, end, filters, limit, cursor. Raises InvalidParameter."""
    start, end = asked.get("start"), asked.get("end")
    pair = [start, end] if start and end else None
    if pair is None and (start or end):
        raise InvalidParameter("end" if start else "start", "Only one side of the range was given.", "Both or neither.")
    covered = parse_range(pair or DEFAULT_RANGE, tenant, now, "start")
    cursor = asked.get("cursor")
    return EventQuery(
        tenant,
        covered,
        (*_named(asked), *_filters(asked.get("filters"))),
        limit(_number(asked.get("limit")), DEFAULT_ROWS, MAX_ROWS),
        None if cursor is None else _decoded(cursor),
    )


def _named(asked: Mapping[str, Any]) -> list[Condition]:
    found = []
    for name, longest in (("event_type", limits.MAX_EVENT_TYPE), ("event_name", limits.MAX_EVENT_NAME)):
        value = asked.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise InvalidParameter(name, f"{name} is no name.", f"A text of 1 to {longest} characters.")
        found.append(Condition(Op.IS, name, (value,)))
    return found


def _filters(given: object) -> tuple[Condition, ...]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            rule = 'JSON such as [["is","country",["DE"]]].'
            raise InvalidParameter("filters", "The filters are no JSON.", rule) from None
    try:
        return parse_conditions(given, "filters")
    except DefinitionError as error:
        raise InvalidParameter(error.field, "The filter breaks a rule.", f"{error.rule}.") from None


def _number(given: object) -> object:
    is_number = isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 10
    return int(str(given)) if is_number else given


class EventList:
    """Lists events of one app."""

    def __init__(self, asking: LakeAsking) -> None:
        self._asking = asking

    async def list(self, query: EventQuery, *, include_people: bool) -> LakeRows:
        """Rows by time, the newest first; ids of people are null unless `include_people`."""

        async def listed(through: datetime | None) -> LakeRows:
            rows = await self._newest(query)
            return _answer(query, rows, through, include_people=include_people)

        return await self._asking.at_last_commits(listed)

    async def _newest(self, query: EventQuery) -> Sequence[dict[str, Any]]:
        start, end = (microseconds(at) for at in query.range.instants)
        if query.after is not None:
            end = min(end, query.after[0] + 1)
        end = min(end, self._asking.snapshots.last_event_us(query.tenant.app_id) + 1)
        span = _FIRST_SPAN_US
        while start < end:
            since = max(start, end - span)
            table = await self._page(query, since, end)
            if table.num_rows > query.limit or since == start:
                return list(table.to_pylist())
            span *= _GROWTH
        return []

    async def _page(self, query: EventQuery, start_us: int, end_us: int) -> pa.Table:
        app_id = query.tenant.app_id
        listed = newest_events(query.conditions, query.after, query.only, query.limit + 1)
        statement = {"statements": msgspec.to_builtins([listed])}
        table, _ = await self._asking.run(
            Asked("rows", app_id, statement, self._asking.events(app_id, start_us, end_us))
        )
        return table


def _answer(
    query: EventQuery, rows: Sequence[dict[str, Any]], through: datetime | None, *, include_people: bool
) -> LakeRows:
    page = rows[: query.limit]
    cursor = _encoded(page[-1]["event_us"], page[-1]["place"]) if len(rows) > query.limit else None
    data = [_row(row, query.tenant, include_people=include_people) for row in page]
    whole = is_whole(query.tenant, query.range)
    meta = lake_meta(query.tenant, query.range.echo(), through, bots=BOTS, exact=whole, next_cursor=cursor)
    return LakeRows(data=data, meta=meta)


def _row(row: Mapping[str, Any], tenant: Tenant, *, include_people: bool) -> dict[str, Any]:
    return {
        "timestamp": instant(row["event_us"], tenant),
        **{name: row[name] for name in COLUMNS},
        "properties": json.loads(row["properties"]),
        "received_at": instant(row["received_us"], tenant),
        **{name: row[name] if include_people else None for name in IDS},
    }


def _encoded(event_us: int, place: int) -> str:
    return base64.urlsafe_b64encode(f"{event_us}:{place}".encode()).decode()


def _decoded(given: object) -> Place:
    try:
        event_us, _, place = base64.urlsafe_b64decode(str(given).encode("ascii")).decode("ascii").partition(":")
        found = int(event_us), int(place)
        if all(abs(number) < 2**62 for number in found):
            return found
    except (binascii.Error, ValueError):
        pass  # refused below, like anything else that is no cursor
    raise InvalidParameter("cursor", "The cursor is not one.", _CURSOR_RULE)
