"""What the lake's errors are as Problem Details (RFC 9457)."""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from eventmill.errors import LakeError
from eventmill.http.problems import RETRY_AFTER_SECONDS, ProblemBody, respond
from query_service.lake.errors import LakeBusy, LakeFailure, LakeLimit

logger = structlog.get_logger(__name__)


def _busy(_request: Request[Any, Any, Any], error: LakeBusy) -> Response[bytes]:
    body = ProblemBody(title="Service Unavailable", status=503, detail=str(error), rule="Ask again in a moment.")
    return respond(body, {"Retry-After": str(error.retry_after_seconds)})


def _limit(_request: Request[Any, Any, Any], error: LakeLimit) -> Response[bytes]:
    return respond(ProblemBody(title="Service Unavailable", status=503, detail=error.message, rule=error.rule))


def _failure(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    logger.error("the lake cannot be read", path=request.url.path, error=str(error))
    body = ProblemBody(title="Service Unavailable", status=503, detail="The lake cannot be read at the moment.")
    return respond(body, {"Retry-After": str(RETRY_AFTER_SECONDS)})


HANDLERS: ExceptionHandlersMap = {LakeBusy: _busy, LakeLimit: _limit, LakeFailure: _failure, LakeError: _failure}
