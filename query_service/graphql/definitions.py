"""Cohorts and their retention, and funnels that nobody saved."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import strawberry

from eventmill.control.definitions import COHORT
from query_service.graphql.arguments import AppId, FromInstant, ToInstant
from query_service.graphql.context import Info, objects
from query_service.graphql.fields import output, question
from query_service.graphql.scalars import JSON, Count, Date, DateTime, StepInput
from query_service.lake.service import Lake
from query_service.query.date_words import parse_range
from query_service.query.definitions import DefinitionQueries
from query_service.query.errors import InvalidParameter
from query_service.query.lake_funnels import parse_funnel_query
from query_service.query.path import utc_now
from query_service.query.periods import add_months

DEFAULT_COHORTS, MAX_COHORTS = 20, 1_000
DAYS: Mapping[str, timedelta] = {"day": timedelta(days=1), "week": timedelta(weeks=1)}


@output
class Cohort:
    """A saved cohort, with what was computed of it."""

    id: strawberry.ID
    identifier: str
    name: str
    filter: JSON
    user_count: Count | None
    retention_rate: float | None = strawberry.field(description="Percent that came back in the week after.")
    created_at: DateTime


@output
class RetentionCell:
    """Who of a cohort's people of a period came back in a later one; `rate` in percent."""

    day_offset: int = strawberry.field(description="Days from the period's start to that of the later one.")
    period_offset: int
    date: Date = strawberry.field(description="The first day of the period in which they began.")
    cohort_size: Count
    returning_users: Count
    rate: float | None
    incomplete: bool = strawberry.field(description="The later period is not over yet.")


@output
class FunnelStep:
    """A step: of all who went through, or of those with one value of the breakdown."""

    step: int
    name: str | None
    users: Count
    conversion_from_start: float | None
    conversion_from_previous: float | None
    dropoff_percent: float | None
    in_progress: Count | None
    median_seconds: float | None
    mean_seconds: float | None
    breakdown_kind: str
    breakdown_value: str | None


Reference = Annotated[str, strawberry.argument(description="Its id or identifier.")]
Steps = Annotated[list[StepInput], strawberry.argument(description="2 to 20 steps, in their order.")]


@output
class PeopleQueries:
    """Questions about people over time."""

    @question("Saved cohorts by name.")
    async def cohorts(
        self, info: Info, app_id: AppId = None, limit: int | None = DEFAULT_COHORTS
    ) -> list[Cohort] | None:
        """Cohorts of an app."""
        limit = DEFAULT_COHORTS if limit is None else limit
        if not 1 <= limit <= MAX_COHORTS:
            rule = f"A whole number from 1 to {MAX_COHORTS}."
            raise InvalidParameter("limit", f"limit={limit} is out of bounds.", rule)
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        return info.context.rows(info, Cohort, await _saved(info).saved(COHORT, tenant))[:limit]

    @question("A saved cohort's retention, by the period of the first event and the one of return.")
    async def cohort_retention(
        self, info: Info, cohort_id: Reference, app_id: AppId = None, interval: str | None = "week"
    ) -> list[RetentionCell] | None:
        """Cells of a cohort."""
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        answer = await _saved(info).retention(tenant, cohort_id, {"interval": interval})
        info.context.note(info, answer.meta)
        return objects(RetentionCell, [_cell(row, interval or "week") for row in answer.data])

    @question("A funnel that nobody saved; of the last 30 days by default.")
    async def funnel(
        self,
        info: Info,
        steps: Steps,
        app_id: AppId = None,
        from_: FromInstant = None,
        to: ToInstant = None,
        window: str | None = "7d",
        order: str | None = "ordered",
        breakdown: str | None = None,
    ) -> list[FunnelStep] | None:
        """Rows of the steps: of the whole funnel, then of each value of its breakdown."""
        lake: Lake = info.context.state.lake
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        named = {"window": window, "order": order, "breakdown": breakdown}
        given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        given["steps"] = [_step(one) for one in steps]
        if from_ is not None or to is not None:
            covered = parse_range(info.context.range_of(from_, to), tenant, utc_now())
            given |= dict(zip(("from", "to"), (at.isoformat() for at in covered.instants), strict=True))
        answer = await lake.funnels.funnel(parse_funnel_query(given, tenant, utc_now()))
        return info.context.rows(info, FunnelStep, answer)


def _saved(info: Info) -> DefinitionQueries:
    queries: DefinitionQueries = info.context.state.definitions
    return queries


def _step(given: object) -> object:
    return {"event_type": given} if isinstance(given, str) else given


def _cell(row: Mapping[str, Any], interval: str) -> dict[str, Any]:
    first, offset = row["cohort_date"], row["period_offset"]
    later = add_months(first, offset) if interval == "month" else first + DAYS[interval] * offset
    return {
        **row,
        "day_offset": (later - first).days,
        "date": first,
        "rate": row["retention_rate"],
        "incomplete": row["is_incomplete"],
    }
