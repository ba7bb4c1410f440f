"""Wires the query service together."""

import contextlib
from collections.abc import AsyncIterator

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from prometheus_client import CollectorRegistry

from eventmill import __version__, telemetry
from eventmill.contracts import metrics
from eventmill.http.requests import RequestLog
from eventmill.settings import Settings
from query_service import access_problems
from query_service.access import Access
from query_service.boards.answers import WidgetAnswers
from query_service.control_store import ControlStore
from query_service.dashboard import pages
from query_service.graphql.gateway import Gateway
from query_service.graphql.http import graphql
from query_service.graphql.socket import graphql_socket
from query_service.lake import problems as lake_problems
from query_service.lake.service import Lake
from query_service.limits import RequestLimits, tell_limits
from query_service.observing import (
    ObservedPath,
    StatementCare,
    count_connections,
    observed_pool,
    observed_prepared,
)
from query_service.problems import HANDLERS
from query_service.query.cache import AnswerCache
from query_service.query.definitions import DefinitionQueries
from query_service.query.executor import Executor
from query_service.query.query_answer import QueryAnswer
from query_service.rest import dashboards, health
from query_service.rest.catalog import CatalogReader
from query_service.rest.direct_questions import DirectQuestions
from query_service.rest.metrics import api
from query_service.rest.sign_in import auth
from query_service.websocket.live import live
from query_service.websocket.service import LiveService, live_windows

POOL_SIZE = 8
STATEMENT_TIMEOUT_MS = 15_000

OPENAPI = OpenAPIConfig(
    title="eventmill",
    version=__version__,
    description="Counts of product, web and mobile events. Every answer says how fresh, complete and exact it is.",
    path="/api/schema",
    use_handler_docstrings=True,
    render_plugins=[JsonRenderPlugin()],
    components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
)


def create_app(settings: Settings) -> RequestLog:
    """The query service as an ASGI application; Postgres may come and go while it runs."""
    registry = CollectorRegistry()
    care = StatementCare(settings, registry)
    pool = observed_pool(settings, care, max_size=POOL_SIZE, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    prepared = observed_prepared(settings, care, max_size=POOL_SIZE, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    access, control = Access(settings), ControlStore(settings)
    count_connections(registry, pool, prepared)
    executor, windows = Executor(pool, prepared), live_windows(settings)
    lake = Lake(settings, registry)
    path = ObservedPath(executor, cache=answer_cache(registry), lake=lake.queries, live=windows)
    path.seconds = telemetry.histogram(metrics.QUERY_ANSWER_SECONDS, registry)
    definitions = DefinitionQueries(executor, settings)
    live_service = LiveService(settings, windows, path)
    live_service.expose(registry)
    state = State(
        {
            "settings": settings,
            "path": path,
            "definitions": definitions,
            "lake": lake,
            "widgets": WidgetAnswers(path, definitions),
            "live": live_service,
            "gateway": Gateway(settings),
            "access": access,
            "control": control,
            "key_cache": access.store.keys,
            "authenticator": access.authenticator,
            "limits": RequestLimits(settings.query_requests_per_second),
            "registry": registry,
            "catalog": CatalogReader(settings),
            "files": pages.load_files(settings),
        }
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await pool.open(wait=False)
        await prepared.open()
        await access.open()
        await control.open()
        live_service.start()
        lake.start()
        yield
        await live_service.stop()
        await state.gateway.close()
        await lake.close()
        await control.close()
        await access.close()
        await prepared.close()
        await pool.close()

    app = Litestar(
        [
            api,
            auth,
            dashboards.public,
            live,
            graphql,
            graphql_socket,
            health.live,
            health.ready,
            health.metrics,
            pages.index,
            pages.api_docs,
            pages.shared,
            pages.metric_docs,
            pages.asset,
            pages.openapi,
        ],
        state=state,
        lifespan=[lifespan],
        before_send=[tell_limits],
        request_max_body_size=settings.query_max_body_bytes,
        exception_handlers={**HANDLERS, **access_problems.HANDLERS, **lake_problems.HANDLERS},
        openapi_config=OPENAPI,
        logging_config=None,
    )
    state.limits.refused = telemetry.counter(metrics.QUERY_RATE_LIMITED, registry)
    answered = telemetry.counter(metrics.QUERY_REQUESTS, registry)
    return RequestLog(DirectQuestions(app), answered, telemetry.histogram(metrics.QUERY_SECONDS, registry))


def answer_cache(registry: CollectorRegistry) -> AnswerCache[QueryAnswer]:
    """The cache of answers, which counts in `registry`."""
    outcomes = telemetry.counter(metrics.QUERY_CACHE, registry)
    cache: AnswerCache[QueryAnswer] = AnswerCache(lambda outcome: outcomes.labels(outcome).inc())
    telemetry.gauge(metrics.QUERY_CACHE_BYTES, registry).set_function(lambda: cache.size)
    return cache
