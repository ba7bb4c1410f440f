"""Liveness, readiness and metrics."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import psycopg
from litestar import Response, get
from litestar.datastructures import State
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from eventmill.errors import EventmillError

CHECK_SECONDS = 3.0

Check = Callable[[], Awaitable[None]]


@get("/health/live")
async def live() -> dict[str, str]:
    """The process runs and answers."""
    return {"status": "live"}


@get("/health/ready")
async def ready(state: State) -> Response[dict[str, object]]:
    """200 when broker and credentials store work, else 503 with what does not."""
    checks: dict[str, Check] = state.checks
    results = dict(zip(checks, await asyncio.gather(*map(_result, checks.values())), strict=True))
    is_ready = all(result == "ok" for result in results.values())
    content: dict[str, object] = {"status": "ready" if is_ready else "not ready", "checks": results}
    return Response(content, status_code=200 if is_ready else 503)


async def _result(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except (EventmillError, httpx.HTTPError, psycopg.Error, OSError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return "ok"


@get("/metrics")
async def metrics(state: State) -> Response[bytes]:
    """Metrics in Prometheus' text format."""
    registry: CollectorRegistry = state.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
