"""Liveness, readiness and metrics."""

import asyncio

import psycopg
from litestar import Response, get
from litestar.datastructures import State
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from query_service.query.path import QueryPath
from query_service.websocket.service import LiveService

CHECK_SECONDS = 3.0


@get("/health/live", tags=["health"])
async def live() -> dict[str, str]:
    """The process runs and answers."""
    return {"status": "live"}


@get("/health/ready", tags=["health"])
async def ready(state: State) -> Response[dict[str, object]]:
    """200 when the marts can be read and the live window is whole, else 503 with what is wrong."""
    path: QueryPath = state.path
    result = "ok"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await path.check()
    except (psycopg.Error, OSError, TimeoutError) as error:
        result = str(error).strip() or type(error).__name__
    live_service: LiveService = state.live
    checks = {"marts": result, "live": live_service.windows.problems()}
    is_ready = all(check == "ok" for check in checks.values())
    content: dict[str, object] = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return Response(content, status_code=200 if is_ready else 503)


@get("/metrics", tags=["health"], include_in_schema=False)
async def metrics(state: State) -> Response[bytes]:
    """Metrics in Prometheus' text format."""
    registry: CollectorRegistry = state.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
