"""`/api/accounting`: what became of every event that arrived."""

from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency

from query_service.query.answer import AccountingAnswer
from query_service.query.path import QueryPath
from query_service.rest import parameters as p
from query_service.rest.problems import PROBLEMS


@get("/accounting", summary="What became of the events that arrived", responses=PROBLEMS)
async def accounting(
    state: State,
    covered: NamedDependency[tuple[str, ...]],
    app_id: p.AppId = None,
    start: p.HourOrDayStart = None,
    end: p.HourOrDayEnd = None,
    granularity: p.Granularity = None,
) -> AccountingAnswer:
    """A row per hour or day in which events arrived, with what became of them, and all of it in `meta.totals`.

    `balanced`: received = stored + window_duplicate + quarantined + filtered, and stored = counted + later_duplicate.
    `complete`: everything that arrived is known, committed and counted; before that the second sum need not hold. An
    hour is a UTC hour of arrival, and belongs to the local day in which it starts. `quarantined_fraction` above 0.01
    in an hour breaks the validation SLO. `reasons` splits what was quarantined and filtered.
    """
    path: QueryPath = state.path
    asked = {"app_id": app_id, "start": start, "end": end, "granularity": granularity}
    return await path.accounting(asked, covered)
