"""The one path that every transport calls: parameters in, answer out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from query_service.query import answer, model, sql, watch_answer, watch_model, watch_sql
from query_service.query.answer import AccountingAnswer, Answer
from query_service.query.cache import AnswerCache
from query_service.query.errors import InvalidParameter, UnknownApp
from query_service.query.executor import Executor
from query_service.query.metric_rows import metric_rows_answer, metric_rows_query, plan_metric_rows
from query_service.query.model import Parameters, Tenant
from query_service.query.page_days import page_days_query, plan_page_days
from query_service.query.pages import pages_answer, pages_query, plan_pages
from query_service.query.query_answer import QueryAnswer
from query_service.query.question_reader import Asked, QuestionReader
from query_service.query.questions import Questions, Sources
from query_service.query.sources import LakeSource, LiveSource
from query_service.query.tenants import Tenants
from query_service.query.timeseries import timeseries_query
from query_service.query.watch_answer import HealthAnswer

_APP = ("app_id", "name", "time_zone", "last_event_at", "silent_since")


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class QueryPath:
    """Answers questions about the apps that a credential covers (`covered`, ids).

    Every question raises InvalidParameter for what it cannot mean, and UnknownApp for an app outside `covered`.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Callable[[], datetime] = utc_now,
        *,
        cache: AnswerCache[QueryAnswer] | None = None,
        lake: LakeSource | None = None,
        live: LiveSource | None = None,
    ) -> None:
        self._executor, self._clock = executor, clock
        self._questions = Questions(Sources(executor, lake, live), cache or AnswerCache(), clock)
        self._tenants = Tenants(executor)
        self._read = QuestionReader()

    async def query(self, asked: Mapping[str, Any], covered: Sequence[str]) -> QueryAnswer:
        """The answer to a question of version 2 (query/spec.py): rows of metrics by period and dimensions."""
        return await self._answer(Asked(asked), covered)

    async def query_json(self, body: bytes, covered: Sequence[str]) -> QueryAnswer:
        """As `query`, for a question as JSON."""
        return await self._answer(self._read.read(body), covered)

    async def _answer(self, asked: Asked, covered: Sequence[str]) -> QueryAnswer:
        tenant = await self._tenant({"app_id": asked.app_id}, covered)
        return await self._questions.answer(asked.meant(tenant, self._clock()))

    async def apps(self, covered: Sequence[str]) -> list[dict[str, Any]]:
        """Rows app_id, name, time_zone, last_event_at, silent_since."""
        rows = await self._executor.tenants(covered)
        return [{name: row[name] for name in _APP} for row in rows]

    async def daily(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows date, source, event_name, events, users, visitors, sessions; days without data are left out."""
        query = model.daily_query(parameters, await self._tenant(parameters, covered), self._clock())
        return answer.daily_answer(query, await self._executor.run(sql.plan_daily(query)))

    async def timeseries(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows timestamp, value: one for every hour or day of the range."""
        query = timeseries_query(parameters, await self._tenant(parameters, covered), self._clock())
        return answer.timeseries_answer(query, await self._executor.run(sql.plan_timeseries(query)))

    async def top_pages(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows page_url, view_count, unique_visitors, bounce_rate, avg_session_duration, most views first."""
        query = model.top_pages_query(parameters, await self._tenant(parameters, covered), self._clock())
        return answer.plain_answer(await self._executor.run(sql.plan_top_pages(query)), query.range)

    async def pages(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration, the latest day first."""
        query = pages_query(parameters, await self._tenant(parameters, covered), self._clock())
        return pages_answer(query, await self._executor.run(plan_pages(query)))

    async def page_days(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows of marts.page_daily: the days of pages with the most views, or of one page on one day."""
        query = page_days_query(parameters, await self._tenant(parameters, covered), self._clock())
        return answer.plain_answer(await self._executor.run(plan_page_days(query)), query.range)

    async def metric_rows(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows metric_type, value, dimension_name, dimension, date, currency, created_at of marts.metrics, by date."""
        query = metric_rows_query(parameters, await self._tenant(parameters, covered), self._clock())
        return metric_rows_answer(query, await self._executor.run(plan_metric_rows(query)))

    async def today(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """One row date, events, page_views, users, visitors, sessions of the running day."""
        query = model.today_query(await self._tenant(parameters, covered), self._clock())
        return answer.plain_answer(await self._executor.run(sql.plan_today(query)), query.range)

    async def accounting(self, parameters: Parameters, covered: Sequence[str]) -> AccountingAnswer:
        """Rows per hour or day of arrival: what became of the events; totals in the meta."""
        query = model.accounting_query(parameters, await self._tenant(parameters, covered), self._clock())
        return answer.accounting_answer(query, await self._executor.run(sql.plan_accounting(query)))

    async def anomalies(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Rows per hour and metric: how it compares with the same hour of the weeks before."""
        query = watch_model.anomaly_query(parameters, await self._tenant(parameters, covered), self._clock())
        return watch_answer.anomaly_answer(query, await self._executor.run(watch_sql.plan_anomalies(query)))

    async def restatements(self, parameters: Parameters, covered: Sequence[str]) -> Answer:
        """Closed periods whose numbers changed, the latest first."""
        query = watch_model.restatement_query(parameters, await self._tenant(parameters, covered), self._clock())
        return watch_answer.restatement_answer(query, await self._executor.run(watch_sql.plan_restatements(query)))

    async def health(self, parameters: Parameters, covered: Sequence[str]) -> HealthAnswer:
        """How an app's numbers stand: freshness, arrivals, anomalies, checks, what is wrong now."""
        tenant = await self._tenant(parameters, covered)
        (app,) = await self._executor.tenants([tenant.app_id])
        found = await self._executor.in_one_snapshot(watch_sql.HEALTH, {"app_id": tenant.app_id})
        return watch_answer.health_answer(tenant, app, found)

    async def check(self) -> None:
        """Raise where no question could be answered now."""
        await self._executor.check()

    async def tenant(self, parameters: Parameters, covered: Sequence[str]) -> Tenant:
        """The app that a question is about: the one it names, else the only one that is covered."""
        return await self._tenant(parameters, covered)

    async def _tenant(self, parameters: Parameters, covered: Sequence[str]) -> Tenant:
        app_id = parameters.get("app_id")
        if app_id is None:
            if len(covered) != 1:
                rule = f"One of: {', '.join(covered)}."
                raise InvalidParameter("app_id", "The key covers several apps: app_id says which.", rule)
            [app_id] = covered
        if app_id not in covered:
            raise UnknownApp(app_id)
        return await self._tenants.find(app_id)
