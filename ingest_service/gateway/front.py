"""In front of Litestar: the endpoints that take events, as plain ASGI, since their cost per request is what counts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.errors import NotReadyError
from eventmill.stream import PublishError, StreamFullError
from ingest_service.gateway.admission import Admission
from ingest_service.gateway.answers import Answer
from ingest_service.gateway.clients import Clients
from ingest_service.gateway.cors import preflight, response_headers
from ingest_service.gateway.problems import Problem, answer_problem, crashed, unavailable
from ingest_service.gateway.request import IngestRequest

Endpoint = Callable[[IngestRequest], Awaitable[Answer]]

_NOT_ALLOWED = Problem(405, "Method Not Allowed", "Events are sent with POST.", headers={"Allow": "POST, OPTIONS"})

logger = structlog.get_logger(__name__)


class IngestFront:
    """Serves the paths of `endpoints` itself (POST, and OPTIONS for browsers) and leaves everything else to `app`.

    An endpoint returns an Answer, or raises Problem, NotReadyError, StreamFullError or PublishError.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Mapping[str, Endpoint],
        clients: Clients,
        admission: Admission,
        registry: CollectorRegistry,
    ) -> None:
        self.app, self.endpoints = app, endpoints
        self._clients, self._admission = clients, admission
        self._refused = telemetry.counter(metrics.GATEWAY_REFUSED, registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        endpoint = self.endpoints.get(scope["path"].rstrip("/")) if scope["type"] == ScopeType.HTTP else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        request = IngestRequest(cast("HTTPScope", scope), receive, self._clients)
        method = request.scope["method"]
        if method == "POST":
            await respond(send, await self._answer(endpoint, request), request.headers.get("origin"))
        elif method == "OPTIONS":
            await respond(send, preflight(request.headers))
        else:
            await respond(send, answer_problem(_NOT_ALLOWED))

    async def _answer(self, endpoint: Endpoint, request: IngestRequest) -> Answer:
        try:
            with self._admission.admit() as admitted:
                request.admit(admitted)
                answer = await endpoint(request)
            return (
                replace(answer, headers={**request.rate_headers, **answer.headers}) if request.rate_headers else answer
            )
        except Problem as error:
            # Its traceback would hold this frame, and all that the request has brought, until cycles are collected.
            problem = error.with_traceback(None)
        except (NotReadyError, StreamFullError, PublishError) as error:
            problem = unavailable(error.message)
            error.__traceback__ = None
        except Exception as error:  # whatever should not happen is answered, never dropped
            logger.exception("request failed", exc_info=error)
            problem = crashed()
        self._refused.labels(problem.cause).inc()
        await request.drain()
        return answer_problem(problem)


async def respond(send: Send, answer: Answer, origin: str | None = None) -> None:
    """Send an answer, readable for the page of `origin`, unless it is that origin which is refused."""
    headers = [(b"content-type", answer.media_type), (b"content-length", b"%d" % len(answer.content))]
    named = answer.headers
    if origin is not None and not answer.is_hidden:
        named = {**named, **response_headers(origin)}
    if named:
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": False})
