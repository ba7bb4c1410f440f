"""Pages: the days of the mart `page_daily`."""

import strawberry

from query_service.graphql.arguments import AppId, From, To
from query_service.graphql.context import Info, text_of
from query_service.graphql.fields import output, question
from query_service.graphql.scalars import Count, Date, DateTime


@output
class PageAnalytics:
    """One page on one day; rates are those of the sessions that entered on it, null without any."""

    id: strawberry.ID
    identifier: str
    page_url: str
    date: Date
    view_count: Count
    unique_visitors: Count
    bounce_rate: float | None = strawberry.field(description="Percent.")
    avg_session_duration: float | None = strawberry.field(description="Seconds.")
    computed_at: DateTime | None


@output
class PageQueries:
    """Questions about pages."""

    @question("A page on a day; null where nothing happened there.")
    async def page_analytics(self, info: Info, page_url: str, date: str, app_id: AppId = None) -> PageAnalytics | None:
        """Row of marts.page_daily."""
        asked = {"app_id": app_id, "page_url": page_url, "date": date, "limit": "1"}
        answer = await info.context.path.page_days(asked, info.context.covered)
        return next(iter(info.context.rows(info, PageAnalytics, answer)), None)

    @question("Page and day with the most views, over all dates unless a range is given.")
    async def top_pages(
        self, info: Info, limit: int | None = 50, from_: From = None, to: To = None, app_id: AppId = None
    ) -> list[PageAnalytics] | None:
        """Rows of marts.page_daily."""
        asked = {"app_id": app_id, "start": from_, "end": to, "limit": text_of(limit)}
        return info.context.rows(info, PageAnalytics, await info.context.path.page_days(asked, info.context.covered))
