"""`/api/goals`, `/api/cohorts`, `/api/funnels`: saved definitions and their results; an admin key changes them."""

from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, Parameter

from eventmill.control.definitions import COHORT, FUNNEL, GOAL, Kind
from query_service.auth import require_admin
from query_service.query.definitions import DefinitionAnswer, DefinitionQueries
from query_service.query.errors import InvalidParameter
from query_service.query.model import Tenant
from query_service.query.path import QueryPath, utc_now
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.problems import PROBLEMS

MAX_BODY_BYTES = 64 * 1024
Covered = NamedDependency[tuple[str, ...]]
WhoReads = NamedDependency[Reader]
Interval = Annotated[str | None, Parameter(description="`day`, `week` (the default) or `month`.")]
Mode = Annotated[
    str | None, Parameter(description="`on` (the default): there in that period; `on_or_after`: or in a later one.")
]
Recurrence = Annotated[
    str | None,
    Parameter(
        description="`first_time` (the default): by the first event ever; `recurring`: by every period with one."
    ),
]
CohortId = Annotated[str | None, Parameter(description="The cohort's id or identifier.")]


async def _tenant(state: State, app_id: str | None, covered: tuple[str, ...]) -> Tenant:
    path: QueryPath = state.path
    return await path.tenant({"app_id": app_id}, covered)


def _endpoints(kind: Kind) -> list[HTTPRouteHandler]:
    """List, create and delete definitions of one kind."""
    name, place = kind.name, f"/{kind.name}s"

    @get(place, name=f"list_{name}s", operation_id=f"list_{name}s", summary=f"Saved {name}s", responses=PROBLEMS)
    async def list_(state: State, covered: Covered, app_id: p.AppId = None) -> DefinitionAnswer:
        """The app's definitions by name, each with its id, identifier, name, definition and summary."""
        queries: DefinitionQueries = state.definitions
        return await queries.saved(kind, await _tenant(state, app_id, covered))

    @post(
        place,
        name=f"create_{name}",
        operation_id=f"create_{name}",
        summary=f"Save a {name}",
        guards=[require_admin],
        responses=PROBLEMS,
    )
    async def create(
        request: Request[Any, Any, Any], state: State, reader: WhoReads, app_id: p.AppId = None
    ) -> DefinitionAnswer:
        """Takes a JSON object: `name`, perhaps `identifier`, and the definition. Needs an admin key."""
        tenant = await _tenant(state, app_id, reader.app_ids)
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            raise InvalidParameter("body", f"The body has {len(body)} bytes.", f"At most {MAX_BODY_BYTES} bytes.")
        queries: DefinitionQueries = state.definitions
        return await queries.create(kind, tenant, body, reader.subject)

    @delete(
        f"{place}/{{reference:str}}",
        name=f"delete_{name}",
        operation_id=f"delete_{name}",
        summary=f"Delete a {name} and its numbers",
        guards=[require_admin],
        responses=PROBLEMS,
    )
    async def remove(state: State, reader: WhoReads, reference: FromPath[str], app_id: p.AppId = None) -> None:
        """By its id or identifier. Needs an admin key."""
        queries: DefinitionQueries = state.definitions
        await queries.delete(kind, await _tenant(state, app_id, reader.app_ids), reference, reader.subject)

    return [list_, create, remove]


@get("/goals/{reference:str}", summary="A goal by day", responses=PROBLEMS)
async def goal(
    state: State,
    covered: Covered,
    reference: FromPath[str],
    app_id: p.AppId = None,
    start: p.Start = None,
    end: p.End = None,
) -> DefinitionAnswer:
    """Rows `{date, events, visitors, sessions_with_goal, sessions, conversion_rate}`, by the day a session began on."""
    queries: DefinitionQueries = state.definitions
    tenant = await _tenant(state, app_id, covered)
    return await queries.goal(tenant, reference, {"start": start, "end": end}, utc_now())


@get("/cohorts/{reference:str}", summary="A cohort", responses=PROBLEMS)
async def cohort(state: State, covered: Covered, reference: FromPath[str], app_id: p.AppId = None) -> DefinitionAnswer:
    """One row `{id, identifier, name, filter, user_count, retention_rate, created_at}`.

    `retention_rate` (percent) is the pooled rate of week 1; null, like `user_count`, until it is known.
    """
    queries: DefinitionQueries = state.definitions
    return await queries.saved(COHORT, await _tenant(state, app_id, covered), reference)


@get("/cohorts/{reference:str}/retention", summary="Who of a cohort came back", responses=PROBLEMS)
async def cohort_retention(
    state: State,
    covered: Covered,
    reference: FromPath[str],
    app_id: p.AppId = None,
    interval: Interval = None,
    mode: Mode = None,
    recurrence: Recurrence = None,
) -> DefinitionAnswer:
    """Rows `{cohort_date, period_offset, cohort_size, returning_users, retention_rate, is_incomplete}`.

    `meta.averages` has the pooled rate of each offset: all who returned of all who could, over complete periods.
    """
    queries: DefinitionQueries = state.definitions
    tenant = await _tenant(state, app_id, covered)
    asked = {"interval": interval, "mode": mode, "recurrence": recurrence}
    return await queries.retention(tenant, reference, asked)


@get("/retention", summary="Who of a cohort came back", responses=PROBLEMS)
async def retention(
    state: State,
    covered: Covered,
    cohort_id: CohortId = None,
    app_id: p.AppId = None,
    interval: Interval = None,
    mode: Mode = None,
    recurrence: Recurrence = None,
) -> DefinitionAnswer:
    """The same as `/api/cohorts/{id}/retention`."""
    if cohort_id is None:
        raise InvalidParameter("cohort_id", "cohort_id is missing.", "The id or identifier of a saved cohort.")
    queries: DefinitionQueries = state.definitions
    tenant = await _tenant(state, app_id, covered)
    asked = {"interval": interval, "mode": mode, "recurrence": recurrence}
    return await queries.retention(tenant, cohort_id, asked)


@get("/funnels/{reference:str}", summary="A funnel, step by step", responses=PROBLEMS)
async def funnel(state: State, covered: Covered, reference: FromPath[str], app_id: p.AppId = None) -> DefinitionAnswer:
    """Rows of the steps: the total's, then those of each value of the breakdown.

    `{breakdown_kind, breakdown_value, step, name, users, conversion_from_start, conversion_from_previous,
    dropoff_percent, in_progress, median_seconds, mean_seconds}`: rates in percent, times since the step before.
    """
    queries: DefinitionQueries = state.definitions
    return await queries.funnel(await _tenant(state, app_id, covered), reference)


ENDPOINTS = [
    *(handler for kind in (GOAL, COHORT, FUNNEL) for handler in _endpoints(kind)),
    *(goal, cohort, cohort_retention, retention, funnel),
]
