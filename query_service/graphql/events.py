"""Single events, the newest first; ids of people only for readers who may see them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import strawberry

from query_service.graphql.arguments import AppId, FromInstant, ToInstant
from query_service.graphql.context import Info, objects
from query_service.graphql.fields import output, question
from query_service.graphql.scalars import JSON, Count, DateTime
from query_service.lake.service import Lake
from query_service.query.date_words import parse_range
from query_service.query.errors import InvalidParameter
from query_service.query.event_list import DEFAULT_ROWS, MAX_ROWS, parse_events
from query_service.query.path import utc_now

VIEWS = ("page_view", "screen_view")
TOP_EVENTS = 10
Rows = Sequence[Mapping[str, Any]]


@output
class PageviewEvent:
    """A page or screen view."""

    id: strawberry.ID
    identifier: str
    session_id: str | None
    page_url: str | None
    referrer: str | None
    recorded_at: DateTime
    properties: JSON


@output
class Event:
    """An event; `metadata` are its properties."""

    id: strawberry.ID
    event_type: str
    event_name: str | None
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    device: str | None
    page_url: str | None
    metadata: JSON
    timestamp: DateTime


@output
class TopEvent:
    """How often an event happened, and to how many."""

    event_name: str | None
    events: Count
    unique_users: Count
    unique_visitors: Count


@output
class EventQueries:
    """Questions about single events, and which are frequent."""

    @question("Views, the newest first; of one page, or of all.")
    async def pageview_events(
        self,
        info: Info,
        page_url: str | None = None,
        limit: int | None = 100,
        offset: int | None = 0,
        app_id: AppId = None,
    ) -> list[PageviewEvent] | None:
        """Events of the lake."""
        filters: list[Any] = [["is", "event_type", list(VIEWS)]]
        filters += [] if page_url is None else [["is", "page_url", [page_url]]]
        rows = await _events(info, {"app_id": app_id, "filters": filters}, limit, offset)
        own = [
            {**row, "id": row["event_id"], "identifier": row["event_id"], "recorded_at": row["timestamp"]}
            for row in rows
        ]
        return objects(PageviewEvent, own)

    @question("Events, the newest first.")
    async def events(
        self,
        info: Info,
        app_id: AppId = None,
        event_type: str | None = None,
        from_: FromInstant = None,
        to: ToInstant = None,
        limit: int | None = 100,
        offset: int | None = 0,
    ) -> list[Event] | None:
        """Events of the lake."""
        asked = {"app_id": app_id, "event_type": event_type, "start": from_, "end": to}
        rows = await _events(info, asked, limit, offset)
        own = [
            {**row, "id": row["event_id"], "device": row["device_type"], "metadata": row["properties"]} for row in rows
        ]
        return objects(Event, own)

    @question("The most frequent events by name.")
    async def top_events(
        self,
        info: Info,
        app_id: AppId = None,
        limit: int | None = TOP_EVENTS,
        from_: FromInstant = None,
        to: ToInstant = None,
    ) -> list[TopEvent] | None:
        """Counts and people by event name."""
        asked = {
            "app_id": app_id,
            "metrics": ["events", "unique_users", "unique_visitors"],
            "dimensions": ["event_name"],
            "date_range": info.context.range_of(from_, to),
            "limit": TOP_EVENTS if limit is None else limit,
        }
        return info.context.rows(info, TopEvent, await info.context.path.query(asked, info.context.covered))


async def _events(info: Info, asked: Mapping[str, Any], limit: int | None, offset: int | None) -> Rows:
    """A page of events, past `offset`; of all dates where no range is given."""
    limit, offset = DEFAULT_ROWS if limit is None else limit, offset or 0
    if offset < 0 or limit < 1 or offset + limit > MAX_ROWS:
        rule = f"1 <= limit, 0 <= offset, and limit + offset at most {MAX_ROWS}; from and to reach older events."
        raise InvalidParameter("limit", f"limit={limit} and offset={offset} are out of bounds.", rule)
    context = info.context
    lake: Lake = context.state.lake
    tenant = await context.path.tenant({"app_id": asked.get("app_id")}, context.covered)
    query = parse_events({**asked, "limit": limit + offset}, tenant, utc_now())
    if asked.get("start") is None:
        query = replace(query, range=parse_range("all", tenant, utc_now()))
    answer = await lake.events.list(query, include_people=context.known.may_see_people)
    context.note(info, answer.meta)
    return answer.data[offset:]
