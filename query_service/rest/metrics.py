"""The routes below `/api`, and those of metrics, pages and apps: thin, every answer comes from the query path."""

from typing import Any

from litestar import Router, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler

from query_service.auth import provide_covered, provide_reader, require_reader
from query_service.query.answer import Answer
from query_service.query.path import QueryPath
from query_service.rest import adhoc, alerts, annotations, dashboards, events, keys, people
from query_service.rest import parameters as p
from query_service.rest.accounting import accounting
from query_service.rest.catalog import catalog, terms
from query_service.rest.definitions import ENDPOINTS
from query_service.rest.live import live
from query_service.rest.problems import PROBLEMS
from query_service.rest.quarantine import quarantine
from query_service.rest.query import query
from query_service.rest.responses import AnswerResponse, refuse_unacceptable
from query_service.rest.watch import anomalies, health, restatements

Covered = NamedDependency[tuple[str, ...]]


@get("/metrics/daily", summary="Daily counts by source and event name", responses=PROBLEMS)
async def daily(  # noqa: PLR0913, PLR0917 - an argument is a query parameter
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    source: p.Source = None,
    event_name: p.EventName = None,
    start: p.Start = None,
    end: p.End = None,
    limit: p.Limit = None,
    cursor: p.PageCursor = None,
) -> Answer:
    """Rows `{date, source, event_name, events, users, visitors, sessions}`, by date; days without data are left out.

    Users, visitors and sessions are distinct counts of their row: adding rows up would count people twice.
    """
    path: QueryPath = state.path
    asked = {"app_id": app_id, "source": source, "event_name": event_name, "start": start, "end": end}
    return await path.daily({**asked, "limit": limit, "cursor": cursor}, covered)


@get("/metrics/timeseries", summary="Events per hour, day, week or month", responses=PROBLEMS)
async def timeseries(
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    event_type: p.EventType = None,
    start: p.HourOrDayStart = None,
    end: p.HourOrDayEnd = None,
    granularity: p.AnyGranularity = None,
) -> Answer:
    """Rows `{timestamp, value}`: one for every period, 0 where nothing happened. The hour that occurs twice is two."""
    path: QueryPath = state.path
    asked = {"app_id": app_id, "event_type": event_type, "start": start, "end": end, "granularity": granularity}
    return await path.timeseries(asked, covered)


@get("/metrics/today", summary="The running day's totals", responses=PROBLEMS)
async def today(state: State, covered: Covered, app_id: p.AppId = None) -> Answer:
    """One row `{date, events, page_views, users, visitors, sessions}` of today in the app's time zone."""
    path: QueryPath = state.path
    return await path.today({"app_id": app_id}, covered)


@get("/pages", summary="Pages by day", responses=PROBLEMS)
async def pages(
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    page_url: p.PageUrl = None,
    start: p.Start = None,
    end: p.End = None,
    limit: p.Limit = None,
    cursor: p.PageCursor = None,
) -> Answer:
    """Rows `{page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration}`, the latest day first.

    `bounce_rate` (percent) and `avg_session_duration` (seconds) are those of the sessions that entered on the page on
    that day, null without any. Within a day the page with the most views comes first.
    """
    path: QueryPath = state.path
    asked = {"app_id": app_id, "page_url": page_url, "start": start, "end": end, "limit": limit, "cursor": cursor}
    return await path.pages(asked, covered)


@get("/pages/top", summary="The most viewed pages", responses=PROBLEMS)
async def top_pages(
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    limit: p.PageLimit = None,
    start: p.Start = None,
    end: p.End = None,
) -> Answer:
    """Rows `{page_url, view_count, unique_visitors, bounce_rate, avg_session_duration}`, most views first.

    `bounce_rate` (percent) and `avg_session_duration` (seconds) are those of the sessions that entered on the page,
    null without any. `unique_visitors` is exact for a range of one day and null for a longer one: visitors of several
    days are not the sum of the days'.
    """
    path: QueryPath = state.path
    return await path.top_pages({"app_id": app_id, "limit": limit, "start": start, "end": end}, covered)


@get("/apps", summary="The apps that the key covers", responses=PROBLEMS)
async def apps(state: State, covered: Covered) -> dict[str, list[dict[str, Any]]]:
    """Rows `{app_id, name, time_zone, last_event_at, silent_since}`."""
    path: QueryPath = state.path
    return {"data": await path.apps(covered)}


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The API's guards. One after the other here: the framework copies its handler for each guard that it knows."""
    await require_reader(connection, handler)
    await p.refuse_unknown(connection, handler)
    await refuse_unacceptable(connection, handler)


api = Router(
    "/api",
    route_handlers=[
        catalog,
        terms,
        daily,
        timeseries,
        today,
        pages,
        top_pages,
        accounting,
        apps,
        anomalies,
        restatements,
        health,
        quarantine,
        query,
        live,
        *ENDPOINTS,
        *keys.ENDPOINTS,
        *dashboards.ENDPOINTS,
        *annotations.ENDPOINTS,
        *alerts.ENDPOINTS,
        *adhoc.ENDPOINTS,
        *events.ENDPOINTS,
        *people.ENDPOINTS,
    ],
    guards=[admit],
    response_class=AnswerResponse,
    dependencies={"covered": Provide(provide_covered), "reader": Provide(provide_reader)},
    security=[{"key": []}],
    tags=["metrics"],
)
