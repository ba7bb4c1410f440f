"""`/api/dashboards`: saved dashboards and their links; `/api/shared`: what a link shows."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import psycopg
from litestar import MediaType, Request, Response, Router, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from eventmill.control import dashboards
from eventmill.control.dashboards import Dashboard, Share
from eventmill.control.definitions import UnknownDefinitionError
from query_service.auth import require_admin
from query_service.boards.answers import WidgetAnswers
from query_service.boards.widgets import checked_widgets
from query_service.control_store import ControlStore
from query_service.limits import limit_strangers
from query_service.query.path import QueryPath, utc_now
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.bodies import etag, expected_version, json_object
from query_service.rest.catalog import Catalog, CatalogReader, Terms
from query_service.rest.problems import PROBLEMS

Covered = NamedDependency[tuple[str, ...]]
WhoReads = NamedDependency[Reader]
FIELDS = ("name", "widgets")
# A link is a secret in an address: no cache keeps what it shows, and no other site is told of it.
PRIVATE = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer"}


@get("/dashboards", summary="Saved dashboards", responses=PROBLEMS)
async def list_dashboards(state: State, covered: Covered, app_id: p.AppId = None) -> dict[str, list[dict[str, Any]]]:
    """Rows `{id, name, widgets, version, created_at, updated_at}`, by name."""
    app = await _app(state, app_id, covered)
    found = await _store(state).run(lambda connection: dashboards.list_all(connection, app))
    return {"data": [_row(one) for one in found]}


@get("/dashboards/{dashboard_id:str}", summary="A dashboard", responses=PROBLEMS)
async def get_dashboard(
    state: State, covered: Covered, dashboard_id: FromPath[str], app_id: p.AppId = None
) -> Response[dict[str, Any]]:
    """One row; the ETag names its version, for a change."""
    app = await _app(state, app_id, covered)
    return _answer(await _store(state).run(lambda connection: dashboards.get(connection, app, dashboard_id)))


@post("/dashboards", summary="Save a dashboard", guards=[require_admin], responses=PROBLEMS)
async def create_dashboard(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, app_id: p.AppId = None
) -> Response[dict[str, Any]]:
    """Takes `{name, widgets}`: at most 50 widgets `{kind, title, size, …}`. Needs an admin key.

    `kind` is number, timeseries, bar or table (with a `question` as of POST /api/v2/query), funnel (with `funnel`),
    retention (with `cohort`, `interval`, `mode`), or text (with `text`); `size` is small, medium, large or full.
    """
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    given = await json_object(request, FIELDS)
    widgets = checked_widgets(given.get("widgets", []), tenant, utc_now())
    made = await _store(state).run(
        lambda connection: dashboards.create(connection, tenant.app_id, given.get("name"), widgets), reader.subject
    )
    return _answer(made, 201)


@put("/dashboards/{dashboard_id:str}", summary="Change a dashboard", guards=[require_admin], responses=PROBLEMS)
async def update_dashboard(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, dashboard_id: FromPath[str], app_id: p.AppId = None
) -> Response[dict[str, Any]]:
    """Takes `{name, widgets}` and, as If-Match, the ETag of the version that was changed. Needs an admin key.

    412 where somebody else was quicker, 428 without If-Match.
    """
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)

    def change(connection: psycopg.Connection[Any]) -> Dashboard:
        version = expected_version(request)
        return dashboards.update(connection, tenant.app_id, dashboard_id, version, given.get("name"), widgets)

    await _store(state).run(lambda connection: dashboards.get(connection, tenant.app_id, dashboard_id))
    given = await json_object(request, FIELDS)
    widgets = checked_widgets(given.get("widgets", []), tenant, utc_now())
    return _answer(await _store(state).run(change, reader.subject))


@delete("/dashboards/{dashboard_id:str}", summary="Delete a dashboard", guards=[require_admin], responses=PROBLEMS)
async def delete_dashboard(state: State, reader: WhoReads, dashboard_id: FromPath[str], app_id: p.AppId = None) -> None:
    """With its links. Needs an admin key."""
    app = await _app(state, app_id, reader.app_ids)
    await _store(state).run(lambda connection: dashboards.delete(connection, app, dashboard_id), reader.subject)


@get("/dashboards/{dashboard_id:str}/shares", summary="Links", guards=[require_admin], responses=PROBLEMS)
async def list_shares(
    state: State, covered: Covered, dashboard_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Rows `{id, created_at, expires_at}` of the links that show the dashboard, without their tokens."""
    app = await _app(state, app_id, covered)
    found = await _store(state).run(lambda connection: dashboards.shares(connection, app, dashboard_id))
    return {"data": [_share(one) for one in found]}


@post("/dashboards/{dashboard_id:str}/shares", summary="Make a link", guards=[require_admin], responses=PROBLEMS)
async def create_share(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, dashboard_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Takes `{expires_in_days}` (30 by default, at most 366). Whoever has the `token` reads this dashboard, no more.

    The token cannot be shown again. Needs an admin key.
    """
    app = await _app(state, app_id, reader.app_ids)
    days = (await json_object(request, ("expires_in_days",))).get("expires_in_days", dashboards.SHARE_DAYS)
    made, token = await _store(state).run(
        lambda connection: dashboards.share(connection, app, dashboard_id, days), reader.subject
    )
    return {"data": [_share(made) | {"token": token, "path": f"/api/shared/{token}"}]}


@delete(
    "/dashboards/{dashboard_id:str}/shares/{share_id:str}",
    summary="Revoke a link",
    guards=[require_admin],
    responses=PROBLEMS,
)
async def revoke_share(
    state: State, reader: WhoReads, dashboard_id: FromPath[str], share_id: FromPath[str], app_id: p.AppId = None
) -> None:
    """It shows nothing from now on. Needs an admin key."""
    app = await _app(state, app_id, reader.app_ids)
    await _store(state).run(
        lambda connection: dashboards.revoke_share(connection, app, dashboard_id, share_id), reader.subject
    )


@get("/{token:str}", summary="A shared dashboard", responses=PROBLEMS)
async def shared(state: State, token: FromPath[str]) -> Response[dict[str, Any]]:
    """One row `{name, widgets, updated_at}` for whoever has the link; needs no key."""
    found = await _store(state).run(lambda connection: dashboards.shared(connection, token))
    row = {"name": found.name, "widgets": found.widgets, "updated_at": found.updated_at.astimezone(UTC)}
    return Response({"data": [row]}, headers=PRIVATE)


@post("/{token:str}/widgets/{place:str}", summary="What a shared widget shows", status_code=200, responses=PROBLEMS)
async def shared_widget(state: State, token: FromPath[str], place: FromPath[str]) -> Response[bytes]:
    """The answer of one widget, the first is 0: as it was saved, nothing else can be asked."""
    found = await _store(state).run(lambda connection: dashboards.shared(connection, token))
    if not place.isascii() or not place.isdigit() or int(place[:9]) >= len(found.widgets):
        raise UnknownDefinitionError(f"There is no widget {place[:40]!r}.")
    answers: WidgetAnswers = state.widgets
    content = await answers.answer(found.widgets[int(place)], found.app_id)
    return Response(content, media_type=MediaType.JSON, headers=PRIVATE)


@get("/{token:str}/metrics", summary="What the numbers of a shared dashboard mean", responses=PROBLEMS)
async def shared_metrics(state: State, token: FromPath[str]) -> Response[Catalog]:
    """As `GET /api/metrics`, for whoever has the link."""
    await _store(state).run(lambda connection: dashboards.shared(connection, token))
    return Response(await _catalog(state).catalog(), headers=PRIVATE)


@get("/{token:str}/metrics/terms", summary="What its words mean", responses=PROBLEMS)
async def shared_terms(state: State, token: FromPath[str]) -> Response[Terms]:
    """As `GET /api/metrics/terms`, for whoever has the link."""
    await _store(state).run(lambda connection: dashboards.shared(connection, token))
    return Response(await _catalog(state).terms(), headers=PRIVATE)


async def _app(state: State, app_id: str | None, covered: Sequence[str]) -> str:
    return (await _path(state).tenant({"app_id": app_id}, covered)).app_id


def _path(state: State) -> QueryPath:
    path: QueryPath = state.path
    return path


def _catalog(state: State) -> CatalogReader:
    reader: CatalogReader = state.catalog
    return reader


def _store(state: State) -> ControlStore:
    store: ControlStore = state.control
    return store


def _row(one: Dashboard) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "name": one.name,
        "widgets": one.widgets,
        "version": one.version,
        "created_at": one.created_at.astimezone(UTC),
        "updated_at": one.updated_at.astimezone(UTC),
    }


def _answer(one: Dashboard, status: int = 200) -> Response[dict[str, Any]]:
    return Response({"data": [_row(one)]}, status_code=status, headers=etag(one.version))


def _share(one: Share) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "created_at": one.created_at.astimezone(UTC),
        "expires_at": one.expires_at.astimezone(UTC),
    }


ENDPOINTS = [
    *(list_dashboards, get_dashboard, create_dashboard, update_dashboard, delete_dashboard),
    *(list_shares, create_share, revoke_share),
]
public = Router(
    "/api/shared",
    route_handlers=[shared, shared_widget, shared_metrics, shared_terms],
    guards=[limit_strangers],
    tags=["dashboards"],
)
