"""Measures the query service's care for its database: waiting for connections, statements, answers."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Histogram
from psycopg_pool import AsyncConnectionPool

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.settings import Settings
from eventmill.warehouse import async_pool
from query_service.prepared import PreparedPool
from query_service.query.path import QueryPath
from query_service.transport import TRANSPORT

SHOWN_CHARACTERS = 160
_POOL_STATES = {"size": "pool_size", "idle": "pool_available", "waiting": "requests_waiting"}

P = ParamSpec("P")
A = TypeVar("A")

logger = structlog.get_logger(__name__)


class StatementCare:
    """Observes statements and waits for connections in `registry`, and logs the slow statements."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.waits = telemetry.histogram(metrics.QUERY_POOL_WAIT_SECONDS, registry)
        self._statements = telemetry.histogram(metrics.QUERY_STATEMENT_SECONDS, registry)
        self._slow = telemetry.counter(metrics.QUERY_SLOW_STATEMENTS, registry)
        self._slow_seconds = settings.slow_query_ms / 1_000

    def observe(self, query: object, seconds: float) -> None:
        """Take in how long a statement took."""
        self._statements.observe(seconds)
        if seconds >= self._slow_seconds:
            self._slow.inc()
            # Never its values: they may be somebody's.
            logger.warning("slow statement", statement=_shown(query), milliseconds=round(seconds * 1_000, 1))


def observed_pool(
    settings: Settings, care: StatementCare, *, max_size: int, statement_timeout_ms: int
) -> AsyncConnectionPool:
    """As `warehouse.async_pool`, observed."""
    return async_pool(
        settings,
        max_size=max_size,
        statement_timeout_ms=statement_timeout_ms,
        pool_class=_observed_class(care.waits),
        cursor_factory=_observed_cursor(care.observe),
    )


def observed_prepared(
    settings: Settings, care: StatementCare, *, max_size: int, statement_timeout_ms: int
) -> PreparedPool:
    """A pool for statements that are asked often, observed."""
    return PreparedPool(
        settings.database_address,
        max_size=max_size,
        statement_timeout_ms=statement_timeout_ms,
        observe=care.observe,
        waits=care.waits,
    )


class Counted(Protocol):
    """A pool that tells of its connections."""

    def get_stats(self) -> Mapping[str, int]:
        """`pool_size`, `pool_available`, `requests_waiting`, as far as there are any."""
        ...


def count_connections(registry: CollectorRegistry, *pools: Counted) -> None:
    """Have `registry` tell how many connections the pools have together, and what waits for one."""
    connections = telemetry.gauge(metrics.QUERY_POOL_CONNECTIONS, registry)
    for state, name in _POOL_STATES.items():
        connections.labels(state).set_function(partial(_sum, pools, name))


def _sum(pools: Sequence[Counted], name: str) -> float:
    return sum(pool.get_stats().get(name, 0) for pool in pools)


def _observed_class(waits: Histogram) -> type[AsyncConnectionPool]:
    class ObservedPool(AsyncConnectionPool):
        """Observes how long each use waits for a connection."""

        async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection:  # noqa: ASYNC109 - its own
            started = time.perf_counter()
            try:
                return await super().getconn(timeout)
            finally:
                waits.observe(time.perf_counter() - started)

    return ObservedPool


def _observed_cursor(observe: Callable[[object, float], None]) -> type[psycopg.AsyncCursor[Any]]:
    class ObservedCursor(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, *arguments: Any, **options: Any) -> Self:
            started = time.perf_counter()
            try:
                return await super().execute(query, *arguments, **options)
            finally:
                observe(query, time.perf_counter() - started)

    return ObservedCursor


def _shown(query: object) -> str:
    """How a statement begins: our statements hold no values, and one that is put together is not shown."""
    return " ".join(query.split())[:SHOWN_CHARACTERS] if isinstance(query, str) else type(query).__name__


def _observed(
    ask: Callable[Concatenate[Any, P], Awaitable[A]],
) -> Callable[Concatenate[Any, P], Awaitable[A]]:
    async def timed(path: "ObservedPath", /, *arguments: P.args, **named: P.kwargs) -> A:
        started = time.perf_counter()
        answer = await ask(path, *arguments, **named)
        source = answer.meta.source  # type: ignore[attr-defined] # every answer has it
        path.seconds.labels(TRANSPORT.get(), source).observe(time.perf_counter() - started)
        return answer

    timed.__doc__ = ask.__doc__
    return timed


class ObservedPath(QueryPath):
    """The query path; how long its answers take is observed by transport and source (`seconds`, once it is set)."""

    seconds: Histogram

    query = _observed(QueryPath.query)  # type: ignore[assignment] # the same function, timed
    query_json = _observed(QueryPath.query_json)  # type: ignore[assignment] # as above
    daily = _observed(QueryPath.daily)  # type: ignore[assignment] # as above
    timeseries = _observed(QueryPath.timeseries)  # type: ignore[assignment] # as above
    top_pages = _observed(QueryPath.top_pages)  # type: ignore[assignment] # as above
    today = _observed(QueryPath.today)  # type: ignore[assignment] # as above
    accounting = _observed(QueryPath.accounting)  # type: ignore[assignment] # as above
