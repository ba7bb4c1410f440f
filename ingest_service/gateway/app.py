"""Wires the gateway together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog
from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.cancelling import cancel
from eventmill.contracts import metrics
from eventmill.faults import Faults
from eventmill.http.problems import answer_http_error
from eventmill.http.requests import RequestLog
from eventmill.settings import Settings
from eventmill.warehouse import async_pool
from ingest_service.gateway import health, snippet
from ingest_service.gateway.acceptance import Intake
from ingest_service.gateway.admission import Admission
from ingest_service.gateway.clients import Clients
from ingest_service.gateway.events import EventsEndpoint
from ingest_service.gateway.front import Endpoint, IngestFront
from ingest_service.gateway.group_commit import GroupCommit
from ingest_service.gateway.problems import answer_crash
from ingest_service.gateway.publish import Broker
from ingest_service.gateway.segment.endpoints import segment_endpoints
from ingest_service.gateway.segment.settings import get_settings
from ingest_service.gateway.store import CredentialStore
from ingest_service.gateway.visitors import Visitors

HOUSEKEEPING_SECONDS = 60.0
DRAIN_SECONDS = 5.0

logger = structlog.get_logger(__name__)


def create_app(settings: Settings) -> RequestLog:
    """The gateway as an ASGI application; broker and Postgres may come and go while it runs."""
    clients = Clients.from_settings(settings)
    registry = CollectorRegistry()
    broker = Broker(settings, registry)
    store = CredentialStore(async_pool(settings, max_size=4, statement_timeout_ms=1_000))
    visitors = Visitors(store.salt)
    group = GroupCommit(broker, registry, Faults.from_settings(settings).reach)
    intake = Intake(settings, store.keys, visitors, group, registry)
    state = State(
        {
            "checks": {"broker": broker.check, "credentials": store.check},
            "registry": registry,
        }
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await store.open()
        tasks = [asyncio.create_task(broker.watch()), asyncio.create_task(_housekeep(store, visitors))]
        yield
        if not await log.drained(DRAIN_SECONDS):
            logger.warning("requests were still in flight at the end")
        await cancel(*tasks)
        await store.flush_uses()
        await broker.close()
        await store.close()

    app = Litestar(
        [health.live, health.ready, health.metrics, snippet.script, get_settings],
        state=state,
        lifespan=[lifespan],
        exception_handlers={HTTPException: answer_http_error, Exception: answer_crash},
        openapi_config=None,
        logging_config=None,
    )
    endpoints: dict[str, Endpoint] = {"/v1/events": EventsEndpoint(intake), **segment_endpoints(intake)}
    front = IngestFront(app, endpoints, clients, Admission.from_settings(settings, registry), registry)
    log = RequestLog(front, telemetry.counter(metrics.GATEWAY_REQUESTS, registry))
    return log


async def _housekeep(store: CredentialStore, visitors: Visitors) -> None:
    """Have tomorrow's salt made (and old ones destroyed) in time, and note which keys were used."""
    while True:
        await visitors.renew(datetime.now(UTC).date())
        await store.flush_uses()
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
