"""`/api/live`: what is going on now."""

from typing import Annotated

from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from query_service.live.overview import LiveAnswer, checked_window
from query_service.query.path import QueryPath
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.problems import PROBLEMS
from query_service.websocket.service import LiveService

Covered = NamedDependency[tuple[str, ...]]
Window = Annotated[str | None, Parameter(description="`5m` (the default), `10m` or `60m`.")]


@get("/live", summary="The last minutes, from the stream", responses=PROBLEMS)
async def live(
    state: State,
    covered: Covered,
    reader: NamedDependency[Reader],
    app_id: p.AppId = None,
    window: Window = None,
) -> LiveAnswer:
    """Counters, pages, countries, minutes and the last events; not exact, at most a second old (docs/live.md)."""
    path: QueryPath = state.path
    service: LiveService = state.live
    word = checked_window(window)
    tenant = await path.tenant({"app_id": app_id}, covered)
    return await service.overview.answer(tenant.app_id, word, may_see_people=reader.may_see_people)
