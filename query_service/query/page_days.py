"""Days of pages, whole rows of the mart: those with the most views, and one page's day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from query_service.query.model import MAX_ROWS, Parameters, Tenant, name_of, number
from query_service.query.pages import LONGEST_PAGE
from query_service.query.ranges import DateRange, date_range, day_of
from query_service.query.sql import METRIC, SESSIONS, Plan

DEFAULT_ROWS = 50

_PAGE_DAYS: LiteralString = """
    select id, identifier, page_url, date, view_count, unique_visitors,
        bounce_rate::double precision as bounce_rate, avg_session_duration, computed_at
    from marts.page_daily
    where app_id = %(app_id)s and date >= %(start)s and date < %(end)s
        and (%(page_url)s::text is null or page_url = %(page_url)s)
    order by view_count desc, date desc, page_url
    limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class PageDaysQuery:
    """Days of one page, or of all (None)."""

    tenant: Tenant
    range: DateRange
    page_url: str | None
    limit: int


def page_days_query(parameters: Parameters, tenant: Tenant, now: datetime) -> PageDaysQuery:
    """Parameters page_url, date, start, end, limit; all dates unless told otherwise. Raises InvalidParameter."""
    return PageDaysQuery(
        tenant,
        _days(parameters, tenant, now),
        name_of("page_url", parameters.get("page_url"), LONGEST_PAGE),
        number("limit", parameters.get("limit"), DEFAULT_ROWS, MAX_ROWS),
    )


def _days(parameters: Parameters, tenant: Tenant, now: datetime) -> DateRange:
    day, start, end = (parameters.get(name) for name in ("date", "start", "end"))
    if day is not None:
        only = day_of("date", day)
        return DateRange(only, only + timedelta(days=1), tenant.time_zone)
    if start is None:
        today = now.astimezone(tenant.time_zone).date()
        start = min(tenant.first_day or today, today).isoformat()
    return date_range(start, end, now, tenant.time_zone)


def plan_page_days(query: PageDaysQuery) -> Plan:
    """Rows of marts.page_daily, most views first."""
    app_id = query.tenant.app_id
    values = {
        "app_id": app_id,
        "start": query.range.start,
        "end": query.range.end,
        "page_url": query.page_url,
        "limit": query.limit,
    }
    return Plan(_PAGE_DAYS, values, app_id, (METRIC, SESSIONS), "day", query.range.instants)
