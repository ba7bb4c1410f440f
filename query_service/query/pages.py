"""Pages by day: the question, the plan and the answer of `/api/pages`."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

import msgspec

from query_service.query import answer
from query_service.query.answer import Answer
from query_service.query.errors import InvalidParameter
from query_service.query.executor import Result
from query_service.query.model import DEFAULT_ROWS, MAX_ROWS, Parameters, Tenant, name_of, number
from query_service.query.ranges import DateRange, date_range
from query_service.query.sql import METRIC, SESSIONS, Plan

# The rollups keep so much of a page's address.
LONGEST_PAGE = 500

# The latest day first, in it the page with the most views.
_PAGES: LiteralString = """
    select page_url, date, view_count, unique_visitors, bounce_rate::double precision as bounce_rate,
        avg_session_duration
    from marts.page_daily
    where app_id = %(app_id)s and date >= %(start)s and date < %(end)s
        and (%(page_url)s::text is null or page_url = %(page_url)s)
        and (%(after_date)s::date is null or (date <= %(after_date)s::date and (
            date < %(after_date)s::date or view_count < %(after_views)s
            or (view_count = %(after_views)s and page_url > %(after_page)s)
        )))
    order by date desc, view_count desc, page_url
    limit %(limit)s
"""


class PageCursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page of rows."""

    date: date
    views: int
    page_url: str


@dataclass(frozen=True, slots=True)
class PagesQuery:
    """Pages by day, of one page or of all (None)."""

    tenant: Tenant
    range: DateRange
    page_url: str | None
    limit: int
    after: PageCursor | None


def pages_query(parameters: Parameters, tenant: Tenant, now: datetime) -> PagesQuery:
    """Parameters page_url, start, end, limit, cursor. Raises InvalidParameter."""
    return PagesQuery(
        tenant,
        date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone),
        name_of("page_url", parameters.get("page_url"), LONGEST_PAGE),
        number("limit", parameters.get("limit"), DEFAULT_ROWS, MAX_ROWS),
        _decoded(parameters.get("cursor")),
    )


def plan_pages(query: PagesQuery) -> Plan:
    """Rows page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration; one more than the limit."""
    after = query.after
    values = {
        "app_id": query.tenant.app_id,
        "start": query.range.start,
        "end": query.range.end,
        "page_url": query.page_url,
        "after_date": after and after.date,
        "after_views": after and after.views,
        "after_page": after and after.page_url,
        "limit": query.limit + 1,
    }
    return Plan(_PAGES, values, query.tenant.app_id, (METRIC, SESSIONS), "day", query.range.instants)


def pages_answer(query: PagesQuery, result: Result) -> Answer:
    """At most `limit` rows, and the cursor that continues after them if there are more."""
    rows, cursor = result.rows[: query.limit], None
    if len(result.rows) > query.limit:
        last = PageCursor(rows[-1]["date"], rows[-1]["view_count"], rows[-1]["page_url"])
        cursor = base64.urlsafe_b64encode(msgspec.json.encode(last)).decode()
    return Answer(data=rows, meta=answer.meta(result.freshness, query.range, next_cursor=cursor))


def _decoded(text: str | None) -> PageCursor | None:
    if text is None:
        return None
    try:
        after = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=PageCursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        after = None
    if after is None or not 0 <= after.views < 2**63 or "\x00" in after.page_url:
        raise InvalidParameter("cursor", "The cursor is not one.", "next_cursor of the previous page.")
    return after
