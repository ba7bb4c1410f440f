"""`/api/annotations`: what happened beside the numbers."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from eventmill.control import annotations
from eventmill.control.annotations import Annotation
from query_service.auth import require_admin
from query_service.control_store import ControlStore
from query_service.query.model import Tenant
from query_service.query.path import QueryPath, utc_now
from query_service.query.ranges import date_range
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.bodies import instant, json_object
from query_service.rest.problems import PROBLEMS

Covered = NamedDependency[tuple[str, ...]]
WhoReads = NamedDependency[Reader]
FIELDS = ("at", "starts_at", "ends_at", "text")


@get("/annotations", summary="What happened", responses=PROBLEMS)
async def list_annotations(
    state: State, covered: Covered, app_id: p.AppId = None, start: p.Start = None, end: p.End = None
) -> dict[str, Any]:
    """Rows `{id, kind, starts_at, ends_at, text, created_at}`, by when they start, with the app's offset.

    `kind` is `note` for what people wrote; backfills and restated days annotate by themselves. `ends_at` is null for an
    instant, and exclusive.
    """
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, covered)
    days = date_range(start, end, utc_now(), tenant.time_zone)
    found = await _store(state).run(
        lambda connection: annotations.in_range(connection, tenant.app_id, tenant.time_zone, (days.start, days.end))
    )
    return {"data": [_row(one, tenant) for one in found], "meta": {"range": days.echo()}}


@get("/annotations/{annotation_id:str}", summary="A note", responses=PROBLEMS)
async def get_annotation(
    state: State, covered: Covered, annotation_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, Any]:
    """One row, as in the list; of those that people wrote."""
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, covered)
    found = await _store(state).run(lambda connection: annotations.get(connection, tenant.app_id, annotation_id))
    return {"data": [_row(found, tenant)]}


@post("/annotations", summary="Write a note", guards=[require_admin], responses=PROBLEMS)
async def create_annotation(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, app_id: p.AppId = None
) -> dict[str, Any]:
    """Takes `{text}` and `at`, or `starts_at` and `ends_at` (RFC 3339); now by default. Needs an admin key."""
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, reader.app_ids)
    given = await json_object(request, FIELDS)
    starts_at, ends_at = _times(given)
    made = await _store(state).run(
        lambda connection: annotations.create(connection, tenant.app_id, starts_at, ends_at, given.get("text")),
        reader.subject,
    )
    return {"data": [_row(made, tenant)]}


@put("/annotations/{annotation_id:str}", summary="Change a note", guards=[require_admin], responses=PROBLEMS)
async def update_annotation(
    request: Request[Any, Any, Any],
    state: State,
    reader: WhoReads,
    annotation_id: FromPath[str],
    app_id: p.AppId = None,
) -> dict[str, Any]:
    """Takes what writing one does. Needs an admin key."""
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, reader.app_ids)
    await _store(state).run(lambda connection: annotations.get(connection, tenant.app_id, annotation_id))
    given = await json_object(request, FIELDS)
    starts_at, ends_at = _times(given)
    text = given.get("text")
    changed = await _store(state).run(
        lambda connection: annotations.update(connection, tenant.app_id, annotation_id, starts_at, ends_at, text),
        reader.subject,
    )
    return {"data": [_row(changed, tenant)]}


@delete("/annotations/{annotation_id:str}", summary="Delete a note", guards=[require_admin], responses=PROBLEMS)
async def delete_annotation(
    state: State, reader: WhoReads, annotation_id: FromPath[str], app_id: p.AppId = None
) -> None:
    """Of those that people wrote. Needs an admin key."""
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, reader.app_ids)
    await _store(state).run(
        lambda connection: annotations.delete(connection, tenant.app_id, annotation_id), reader.subject
    )


def _store(state: State) -> ControlStore:
    store: ControlStore = state.control
    return store


def _times(given: dict[str, Any]) -> tuple[datetime, datetime | None]:
    field = "starts_at" if "starts_at" in given else "at"
    starts_at = instant(given[field], field) if given.get(field) is not None else utc_now()
    return starts_at, None if given.get("ends_at") is None else instant(given["ends_at"], "ends_at")


def _row(one: Annotation, tenant: Tenant) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "starts_at": one.starts_at.astimezone(tenant.time_zone).isoformat(),
        "ends_at": one.ends_at and one.ends_at.astimezone(tenant.time_zone).isoformat(),
        "text": one.text,
        "created_at": one.created_at.astimezone(UTC),
    }


ENDPOINTS = [list_annotations, get_annotation, create_annotation, update_annotation, delete_annotation]
