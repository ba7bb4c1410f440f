"""`/api/funnels/query`, `/api/retention/query`: funnels and cohorts that nobody saved."""

from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from eventmill.errors import DefinitionError
from query_service.lake.service import Lake
from query_service.query.json_body import json_object
from query_service.query.lake_funnels import parse_funnel_query, parse_retention_query
from query_service.query.lake_meta import LakeRows
from query_service.query.model import Tenant
from query_service.query.path import QueryPath, utc_now
from query_service.query.question_reader import MAX_BODY_BYTES
from query_service.rest.disconnect import unless_gone
from query_service.rest.problems import PROBLEMS
from query_service.rest.responses import READS_BY_POST

Covered = NamedDependency[tuple[str, ...]]


async def asked_of(
    request: Request[Any, Any, Any], state: State, covered: tuple[str, ...]
) -> tuple[dict[str, Any], Tenant]:
    """The body's fields without app_id, and the app that it names, else the only one."""
    asked = json_object(await request.body(), "the definition", MAX_BODY_BYTES)
    app_id = asked.pop("app_id", None)
    if app_id is not None and not isinstance(app_id, str):
        raise DefinitionError("app_id", "a text")
    path: QueryPath = state.path
    return asked, await path.tenant({"app_id": app_id}, covered)


@post(
    "/funnels/query",
    status_code=200,
    summary="A funnel that nobody saved",
    responses=PROBLEMS,
    opt={READS_BY_POST: True},
)
async def funnel_query(request: Request[Any, Any, Any], state: State, covered: Covered) -> LakeRows:
    """Takes a funnel (docs/funnels.md) with `from` and `to`, or `days`; rows as `GET /api/funnels/{id}`."""
    asked, tenant = await asked_of(request, state, covered)
    lake: Lake = state.lake
    return await unless_gone(request.receive, lake.funnels.funnel(parse_funnel_query(asked, tenant, utc_now())))


@post(
    "/retention/query",
    status_code=200,
    summary="Retention of a cohort that nobody saved",
    responses=PROBLEMS,
    opt={READS_BY_POST: True},
)
async def retention_query(request: Request[Any, Any, Any], state: State, covered: Covered) -> LakeRows:
    """Takes a cohort's definition (docs/definitions.md), and `interval`, `mode`, `recurrence`.

    Rows as `GET /api/cohorts/{id}/retention`; `meta.user_count` is the number of people.
    """
    asked, tenant = await asked_of(request, state, covered)
    lake: Lake = state.lake
    return await unless_gone(request.receive, lake.funnels.retention(parse_retention_query(asked, tenant)))


ENDPOINTS = [funnel_query, retention_query]
