"""Rows of the mart `metrics`: any measure of a day, week or month, by one dimension."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from query_service.query.answer import Answer, plain_answer
from query_service.query.errors import InvalidParameter
from query_service.query.executor import Result
from query_service.query.model import DEFAULT_ROWS, MAX_ROWS, Parameters, Tenant, name_of, number
from query_service.query.ranges import DateRange, date_range
from query_service.query.sql import METRIC, Plan
from query_service.query.uniques import DAILY

GRAINS = ("day", "week", "month")
LONGEST_TYPE = 110
# Those that count visitors or their sessions once, where all measures (None) are not asked for.
_OF_VISITORS = (None, "unique_visitors", "sessions")
_NAME = re.compile(r"[a-z_]{1,40}")

_METRICS: LiteralString = """
    select metric_type, value::double precision as value, dimension_name, dimension, date, currency, created_at
    from marts.metrics
    where app_id = %(app_id)s and granularity = %(granularity)s and date >= %(start)s and date < %(end)s
        and dimension_name = %(dimension_name)s
        and (%(metric_type)s::text is null or metric_type = %(metric_type)s)
    order by date, metric_type, dimension_name, dimension, currency
    limit %(limit)s offset %(offset)s
"""


@dataclass(frozen=True, slots=True)
class MetricRowsQuery:
    """Rows of one measure or of all (None), over all events (`total`) or by another dimension."""

    tenant: Tenant
    range: DateRange
    metric_type: str | None
    dimension_name: str
    granularity: str
    limit: int
    offset: int


def metric_rows_query(parameters: Parameters, tenant: Tenant, now: datetime) -> MetricRowsQuery:
    """Parameters metric_type, dimension_name, granularity, start, end, limit, offset. Raises InvalidParameter."""
    granularity = parameters.get("granularity") or "day"
    if granularity not in GRAINS:
        detail = f"granularity={granularity!r} is not known."
        raise InvalidParameter("granularity", detail, f"One of: {', '.join(GRAINS)}.")
    dimension_name = parameters.get("dimension_name") or "total"
    if not _NAME.fullmatch(dimension_name):
        rule = "The name of a dimension, such as country; total is all events in one row."
        raise InvalidParameter("dimension_name", "dimension_name is no name.", rule)
    return MetricRowsQuery(
        tenant,
        date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone),
        name_of("metric_type", parameters.get("metric_type"), LONGEST_TYPE),
        dimension_name,
        granularity,
        number("limit", parameters.get("limit"), DEFAULT_ROWS, MAX_ROWS),
        offset_of(parameters.get("offset")),
    )


def offset_of(text: str | None, most: int = 1_000_000) -> int:
    """Rows to skip, none by default. Raises InvalidParameter."""
    if text is None or text == "0":
        return 0
    try:
        return number("offset", text, 0, most)
    except InvalidParameter as error:
        raise InvalidParameter("offset", error.message, f"A whole number from 0 to {most}.") from None


def plan_metric_rows(query: MetricRowsQuery) -> Plan:
    """Rows metric_type, value, dimension_name, dimension, date, currency, created_at, by date."""
    app_id = query.tenant.app_id
    values = {
        "app_id": app_id,
        "start": query.range.start,
        "end": query.range.end,
        "metric_type": query.metric_type,
        "dimension_name": query.dimension_name,
        "granularity": query.granularity,
        "limit": query.limit,
        "offset": query.offset,
    }
    return Plan(_METRICS, values, app_id, (METRIC,), query.granularity, query.range.instants)


def metric_rows_answer(query: MetricRowsQuery, result: Result) -> Answer:
    """The rows, and how far distinct visitors of weeks and months hold."""
    found = plain_answer(result, query.range)
    if query.metric_type in _OF_VISITORS and result.freshness.has_daily_visitors:
        found.meta.uniques_scope = DAILY
    return found
