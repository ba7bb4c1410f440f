"""Subscriptions: the live window, a page's day, and which aggregates were computed anew."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import strawberry

from query_service.graphql import following
from query_service.graphql.arguments import AppId
from query_service.graphql.context import Info, objects
from query_service.graphql.fields import output, subscription
from query_service.graphql.pages import PageAnalytics
from query_service.graphql.scalars import Count, DateTime
from query_service.query.path import QueryPath, utc_now
from query_service.websocket import messages
from query_service.websocket.messages import DEFAULT_SECONDS, Subscribe
from query_service.websocket.service import LiveService
from query_service.websocket.topic import Question, Snapshot

WINDOW = "5m"


@output
class LiveMetrics:
    """The last five minutes: views, distinct visitors, crashes, and the mean duration of sessions in seconds."""

    timestamp: DateTime
    pageviews: Count
    unique_users: Count
    crash_count: Count
    avg_session_duration: float | None


@output
class AggregateUpdate:
    """Periods of a table that were computed anew: their starts in UTC, the newest ones."""

    app_id: strawberry.ID
    table: str
    grain: str
    periods: list[DateTime]


@output
class Subscription:
    """What is sent whenever it changes."""

    @subscription("The live window, at once and when it changed; `interval` in seconds.")
    async def live_metrics(
        self, info: Info, app_id: AppId = None, interval: float | None = DEFAULT_SECONDS
    ) -> AsyncGenerator[LiveMetrics, None]:
        """The summary of five minutes."""
        live: LiveService = info.context.state.live
        seconds = messages.checked_interval(DEFAULT_SECONDS if interval is None else interval)
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        asked = Subscribe(id="live", live=True, app_id=tenant.app_id, window=WINDOW)
        question = live.questions.of(asked, info.context.known)
        async with aclosing(following.answers(live.hub, question, seconds)) as found:
            async for answer in found:
                info.context.note(info, answer["meta"])
                yield _live(answer["data"])

    @subscription("A page's running day, whenever it changes.")
    async def live_page_metrics(
        self, info: Info, page_url: str, app_id: AppId = None
    ) -> AsyncGenerator[PageAnalytics, None]:
        """Row of marts.page_daily."""
        live: LiveService = info.context.state.live
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        question = _page_question(info.context.path, tenant.app_id, page_url)
        async with aclosing(following.answers(live.hub, question, DEFAULT_SECONDS)) as found:
            async for answer in found:
                info.context.note(info, answer["meta"])
                for page in objects(PageAnalytics, answer["data"]):
                    yield page

    @subscription("Which aggregates were computed anew; of all covered apps, or of one.")
    async def aggregate_updated(self, info: Info, app_id: AppId = None) -> AsyncGenerator[AggregateUpdate, None]:
        """The pipeline's own messages."""
        live: LiveService = info.context.state.live
        wanted = frozenset(info.context.covered)
        if app_id is not None:
            wanted = frozenset({(await info.context.path.tenant({"app_id": app_id}, info.context.covered)).app_id})
        async with aclosing(following.updates(live, wanted.__contains__)) as found:
            async for update in found:
                yield objects(AggregateUpdate, [update])[0]


def _live(data: dict[str, Any]) -> LiveMetrics:
    return LiveMetrics(
        timestamp=data["counters"]["updated_at"],
        pageviews=data["total_views"],
        unique_users=data["unique_visitors"],
        crash_count=data["crashes"],
        avg_session_duration=data["avg_session_duration"],
    )


def _page_question(path: QueryPath, app_id: str, page_url: str) -> Question:
    async def ask() -> Snapshot:
        tenant = await path.tenant({"app_id": app_id}, (app_id,))
        today = utc_now().astimezone(tenant.time_zone).date().isoformat()
        asked = {"app_id": app_id, "page_url": page_url, "date": today, "limit": "1"}
        answer = await path.page_days(asked, (app_id,))
        # The instant at which they were computed moves on without them.
        numbers = [{name: value for name, value in row.items() if name != "computed_at"} for row in answer.data]
        return Snapshot(messages.encode(answer), numbers, answer.meta)

    return Question(("page", app_id, page_url), app_id, ask)
