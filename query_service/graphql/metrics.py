"""Numbers: rows of the metrics mart, series, people, and any question of version 2."""

from typing import Any

import strawberry

from query_service.graphql.arguments import AppId, FromInstant, ToInstant
from query_service.graphql.context import Info, text_of
from query_service.graphql.fields import given, output, question
from query_service.graphql.scalars import JSON, Count, Date, DateTime
from query_service.query.errors import InvalidParameter
from query_service.query.periods import AUTO

DEFAULT_METRICS = 1_000


@given
class DateRangeInput:
    """Days in the app's time zone, YYYY-MM-DD; `to` is exclusive."""

    from_: str = strawberry.field(name="from")
    to: str


@output
class Metric:
    """A value of a day, week or month; `dimension` is `all` over all events."""

    metric_type: str
    value: float
    dimension_name: str
    dimension: str | None
    date: Date
    currency: str | None
    created_at: DateTime | None


@output
class Point:
    """A period and its value: null for a ratio where nothing happened, and for periods that have not begun."""

    timestamp: DateTime
    value: float | None


@output
class UniqueUsers:
    """Distinct people of a range, exact."""

    unique_users: Count
    unique_visitors: Count
    unique_sessions: Count


@output
class MetricQueries:
    """Questions about numbers."""

    @question("Rows of the mart `metrics`, by date; over all events, or by one dimension.")
    async def metrics(
        self,
        info: Info,
        app_id: AppId = None,
        date_range: DateRangeInput | None = None,
        metric_type: str | None = None,
        dimension_name: str | None = "total",
        granularity: str | None = "day",
        limit: int | None = DEFAULT_METRICS,
        offset: int | None = 0,
    ) -> list[Metric] | None:
        """Rows of marts.metrics."""
        asked = {
            "app_id": app_id,
            "start": None if date_range is None else date_range.from_,
            "end": None if date_range is None else date_range.to,
            "metric_type": metric_type,
            "dimension_name": dimension_name,
            "granularity": granularity,
            "limit": text_of(limit),
            "offset": text_of(offset),
        }
        return info.context.rows(info, Metric, await info.context.path.metric_rows(asked, info.context.covered))

    @question("A metric by period, every period of the range; 30 days by default.")
    async def timeseries(
        self,
        info: Info,
        app_id: AppId = None,
        metric: str | None = "events",
        event_type: str | None = None,
        from_: FromInstant = None,
        to: ToInstant = None,
        granularity: str | None = "auto",
    ) -> list[Point] | None:
        """A metric by period."""
        name = metric or "events"
        asked = {
            "app_id": app_id,
            "metrics": [name],
            "filters": [] if event_type is None else [["is", "event_type", [event_type]]],
            "date_range": info.context.range_of(from_, to),
            "granularity": granularity or AUTO,
        }
        answer = await info.context.path.query(asked, info.context.covered)
        info.context.note(info, answer.meta)
        return [Point(timestamp=row["timestamp"], value=row[name]) for row in answer.data]

    @question("Distinct users, visitors and sessions of a range; 30 days by default.")
    async def unique_users(
        self, info: Info, app_id: AppId = None, from_: FromInstant = None, to: ToInstant = None
    ) -> UniqueUsers | None:
        """Totals of a range."""
        asked = {
            "app_id": app_id,
            "metrics": ["unique_users", "unique_visitors", "unique_sessions"],
            "date_range": info.context.range_of(from_, to),
        }
        answer = await info.context.path.query(asked, info.context.covered)
        return next(iter(info.context.rows(info, UniqueUsers, answer)), None)

    @question("Any question as of POST /api/v2/query; its rows.")
    async def query(self, info: Info, question: JSON) -> list[JSON] | None:
        """Rows of a question of version 2."""
        asked: Any = question
        if not isinstance(asked, dict):
            raise InvalidParameter("question", "The question is no object.", "An object with metrics.")
        answer = await info.context.path.query(asked, info.context.covered)
        info.context.note(info, answer.meta)
        return [JSON(row) for row in answer.data]
