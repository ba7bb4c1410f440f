"""`/api/events`: the single events behind a number."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from query_service.lake.service import Lake
from query_service.query.event_list import DEFAULT_ROWS, MAX_ROWS, parse_events
from query_service.query.lake_meta import LakeRows
from query_service.query.path import QueryPath, utc_now
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.disconnect import unless_gone
from query_service.rest.problems import PROBLEMS

Filters = Annotated[
    str | None, Parameter(description='Conditions as in POST /api/v2/query, as JSON: [["is","country",["DE"]]].')
]
EventType = Annotated[str | None, Parameter(description="One event type; all by default.")]
EventName = Annotated[str | None, Parameter(description="One event name; all by default.")]
_PLACE = "A day YYYY-MM-DD in the app's time zone, or an instant as RFC 3339;"
Start = Annotated[str | None, Parameter(description=f"{_PLACE} with end, else the last 7 days.")]
End = Annotated[str | None, Parameter(description=f"{_PLACE} exclusive.")]
Limit = Annotated[str | None, Parameter(description=f"Most events of a page: {DEFAULT_ROWS}, up to {MAX_ROWS}.")]


@get("/events", summary="Single events, the newest first", responses=PROBLEMS)
async def events(  # noqa: PLR0913, PLR0917 - an argument is a query parameter
    request: Request[Any, Any, Any],
    state: State,
    covered: NamedDependency[tuple[str, ...]],
    reader: NamedDependency[Reader],
    app_id: p.AppId = None,
    event_type: EventType = None,
    event_name: EventName = None,
    start: Start = None,
    end: End = None,
    filters: Filters = None,
    limit: Limit = None,
    cursor: p.PageCursor = None,
) -> LakeRows:
    """Rows `{timestamp, event_id, event_type, event_name, source, page_url, …, properties, received_at}`.

    Bots are among them, marked by `is_bot`; copies are not. `user_id`, `anonymous_id` and `session_id` are null for
    readers who may not see people.
    """
    path: QueryPath = state.path
    lake: Lake = state.lake
    tenant = await path.tenant({"app_id": app_id}, covered)
    asked = {"event_type": event_type, "event_name": event_name, "start": start, "end": end, "filters": filters}
    query = parse_events({**asked, "limit": limit, "cursor": cursor}, tenant, utc_now())
    return await unless_gone(request.receive, lake.events.list(query, include_people=reader.may_see_people))


ENDPOINTS = [events]
