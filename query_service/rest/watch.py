"""`/api/anomalies`, `/api/restatements`, `/api/health`: what was watched, and how the numbers stand."""

from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency

from query_service.query.answer import Answer
from query_service.query.path import QueryPath
from query_service.query.watch_answer import HealthAnswer
from query_service.rest import parameters as p
from query_service.rest.problems import PROBLEMS

Covered = NamedDependency[tuple[str, ...]]


@get("/anomalies", summary="Hours beside the same hour of the weeks before", responses=PROBLEMS)
async def anomalies(  # noqa: PLR0913, PLR0917 - an argument is a query parameter
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    metric: p.ComparedMetric = None,
    flagged: p.Flagged = None,
    start: p.HourStart = None,
    end: p.HourOrDayEnd = None,
    limit: p.Limit = None,
    cursor: p.PageCursor = None,
) -> Answer:
    """Rows by hour. `change_pct` is against the same local hour a week ago, null where that had none.

    `is_anomaly`: outside of `expected` plus or minus three times `deviation`, the median of up to four weeks and a
    robust deviation, with two weeks and 30 expected at least. `is_partial`: the running hour, compared with the same
    elapsed minutes of the earlier ones; events and page views only.
    """
    path: QueryPath = state.path
    asked = {"app_id": app_id, "metric": metric, "flagged": flagged, "start": start, "end": end}
    return await path.anomalies({**asked, "limit": limit, "cursor": cursor}, covered)


@get("/restatements", summary="Closed periods whose numbers changed", responses=PROBLEMS)
async def restatements(
    state: State,
    covered: Covered,
    app_id: p.AppId = None,
    start: p.Start = None,
    end: p.End = None,
    limit: p.Limit = None,
    cursor: p.PageCursor = None,
) -> Answer:
    """Rows by when they were restated, within the range, the latest first; `cause` says why."""
    path: QueryPath = state.path
    asked = {"app_id": app_id, "start": start, "end": end, "limit": limit, "cursor": cursor}
    return await path.restatements(asked, covered)


@get("/health", summary="How the numbers stand", responses=PROBLEMS, tags=["health"])
async def health(state: State, covered: Covered, app_id: p.AppId = None) -> HealthAnswer:
    """Freshness by table and mart, arrivals, anomalies, failing checks, and what is wrong now, of one app.

    `status`: `failing` where a check fails, an incident is open or the app is silent; `warning` where something is
    late or unusual; else `ok`. The answer is 200 in any case: /health/ready is for balancers.
    """
    path: QueryPath = state.path
    return await path.health({"app_id": app_id}, covered)
