"""`/api/people`: who is behind a number, and what they did; for readers who may see people."""

from typing import Any

from litestar import Request, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath

from query_service.lake.service import Lake
from query_service.problems import Forbidden
from query_service.query.lake_meta import LakeRows
from query_service.query.path import QueryPath, utc_now
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.adhoc import asked_of
from query_service.rest.disconnect import unless_gone
from query_service.rest.events import End, EventName, EventType, Filters, Limit, Start
from query_service.rest.problems import PROBLEMS
from query_service.rest.responses import READS_BY_POST

Covered = NamedDependency[tuple[str, ...]]


async def require_people(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard, after `require_reader`: raise Forbidden unless the reader may see people."""
    reader: Reader = connection.state.reader
    if not reader.may_see_people:
        raise Forbidden(
            "This credential may not see people.", "An admin key, or a read key or token with the scope people."
        )


@post(
    "/people/query",
    status_code=200,
    summary="Who is behind a number",
    guards=[require_people],
    responses=PROBLEMS,
    opt={READS_BY_POST: True},
)
async def people(request: Request[Any, Any, Any], state: State, covered: Covered) -> LakeRows:
    """Takes `of` and `definition`, the JSON that the number was asked for with.

    `of`: `funnel` (with `step`, `dropped`, `value` of the breakdown), `cohort`, `retention` (with `cohort_date`,
    `period_offset`, `interval`, `mode`, `recurrence`) or `query` (with `row`: the row's timestamp and dimensions).
    Rows `{person, user_id, anonymous_id, session_id}`; `meta.total` is the number itself.
    """
    asked, tenant = await asked_of(request, state, covered)
    lake: Lake = state.lake
    return await unless_gone(request.receive, lake.people.list(asked, tenant, utc_now()))


@get("/people/{person:str}/events", summary="What a person did", guards=[require_people], responses=PROBLEMS)
async def timeline(  # noqa: PLR0913, PLR0917 - an argument is a query parameter
    request: Request[Any, Any, Any],
    state: State,
    covered: Covered,
    person: FromPath[str],
    app_id: p.AppId = None,
    event_type: EventType = None,
    event_name: EventName = None,
    start: Start = None,
    end: End = None,
    filters: Filters = None,
    limit: Limit = None,
    cursor: p.PageCursor = None,
) -> LakeRows:
    """The events of a person of `POST /api/people/query`, the newest first; rows as `GET /api/events`."""
    path: QueryPath = state.path
    lake: Lake = state.lake
    tenant = await path.tenant({"app_id": app_id}, covered)
    asked = {"event_type": event_type, "event_name": event_name, "start": start, "end": end, "filters": filters}
    found = lake.people.timeline(person, {**asked, "limit": limit, "cursor": cursor}, tenant, utc_now())
    return await unless_gone(request.receive, found)


ENDPOINTS = [people, timeline]
