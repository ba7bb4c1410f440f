"""Refusals of a whole request, as Problem Details (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response

from eventmill.http.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, ProblemBody, respond
from ingest_service.gateway.answers import Answer

logger = structlog.get_logger(__name__)


_CAUSES = {
    401: "unauthorized",
    403: "forbidden",
    408: "too_slow",
    413: "too_large",
    429: "rate_limited",
    500: "failed",
    503: "unavailable",
}


class Problem(Exception):  # noqa: N818 - the standard's own word
    """A refused request: status, what is wrong, and the field and rule at fault where there are such."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        field: str | None = None,
        rule: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.field, self.rule, self.headers = field, rule, dict(headers or {})
        # Under which it is counted.
        self.cause = _CAUSES.get(status, "invalid")


def unauthorized(detail: str) -> Problem:
    """401 that says how to send a key."""
    rule = (
        "Send a write key as `Authorization: Bearer <key>`, as Basic user name, as `X-Write-Key`, or as `?write_key=`."
    )
    headers = {"WWW-Authenticate": "Bearer"}
    return Problem(401, "Unauthorized", detail, field="Authorization", rule=rule, headers=headers)


def too_large(detail: str, rule: str) -> Problem:
    """413 for a body over a limit."""
    return Problem(413, "Content Too Large", detail, field="body", rule=rule)


def unavailable(detail: str) -> Problem:
    """503 that asks for the same events again: none of them was acknowledged."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    rule = "Nothing was acknowledged: send the same events again, with the same ids."
    return Problem(503, "Service Unavailable", detail, rule=rule, headers=headers)


def crashed() -> Problem:
    """500 for whatever should not happen: the log has the rest."""
    detail = "The gateway failed; its log says why, under the X-Request-Id of this answer."
    return Problem(500, "Internal Server Error", detail)


def answer_problem(problem: Problem) -> Answer:
    """The answer that carries a refusal."""
    body = ProblemBody(
        title=problem.title, status=problem.status, detail=problem.detail, field=problem.field, rule=problem.rule
    )
    is_hidden = problem.field == "Origin"
    return Answer(msgspec.json.encode(body), problem.status, MEDIA_TYPE.encode(), problem.headers, is_hidden)


def answer_crash(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar exception handler."""
    logger.error("request failed", exc_info=error)
    problem = crashed()
    return respond(ProblemBody(title=problem.title, status=problem.status, detail=problem.detail))
