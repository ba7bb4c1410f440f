"""In front of Litestar: the endpoints that take events, as plain ASGI, since their cost per request is what counts."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from eventmill.errors import NotReadyError
from eventmill.stream import PublishError, StreamFullError
from ingest_service.gateway.answers import Answer
from ingest_service.gateway.problems import Problem, answer_problem, crashed, unavailable
from ingest_service.gateway.request import IngestRequest

Endpoint = Callable[[IngestRequest], Awaitable[Answer]]

_NOT_ALLOWED = Problem(405, "Method Not Allowed", "Events are sent with POST.", headers={"Allow": "POST"})

logger = structlog.get_logger(__name__)


class IngestFront:
    """Serves `POST` on the paths of `endpoints` itself and leaves everything else to `app`.

    An endpoint returns an Answer, or raises Problem, NotReadyError, StreamFullError or PublishError.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self.app, self.endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        endpoint = self.endpoints.get(scope["path"].rstrip("/")) if scope["type"] == ScopeType.HTTP else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        request = IngestRequest(cast("HTTPScope", scope), receive)
        await respond(send, await self._answer(endpoint, request))

    async def _answer(self, endpoint: Endpoint, request: IngestRequest) -> Answer:
        if request.scope["method"] != "POST":
            return answer_problem(_NOT_ALLOWED)
        try:
            return await endpoint(request)
        except Problem as problem:
            return answer_problem(problem)
        except (NotReadyError, StreamFullError, PublishError) as error:
            return answer_problem(unavailable(error.message))
        except Exception as error:  # whatever should not happen is answered, never dropped
            logger.exception("request failed", exc_info=error)
            return answer_problem(crashed())


async def respond(send: Send, answer: Answer) -> None:
    """Send an answer."""
    headers = [(b"content-type", answer.media_type), (b"content-length", b"%d" % len(answer.content))]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": False})
