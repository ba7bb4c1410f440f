"""Refusals of what is saved, and of too much, as Problem Details (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from eventmill.control.dashboards import ChangedMeanwhileError
from eventmill.http.problems import ProblemBody, respond

_VERSION_RULE = "Send the ETag of the version that you have changed as If-Match."


class PreconditionRequired(Exception):  # noqa: N818 - the standard's own word
    """A change that does not say which version it is of: it could undo somebody else's."""


class TooManyRequests(Exception):  # noqa: N818 - the standard's own word
    """The credential asked too much; `headers` say when it may ask again."""

    def __init__(self, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.headers = headers


def _precondition_required(_request: Request[Any, Any, Any], error: PreconditionRequired) -> Response[bytes]:
    title = "Precondition Required"
    return respond(ProblemBody(title=title, status=428, detail=str(error), field="If-Match", rule=_VERSION_RULE))


def _changed_meanwhile(_request: Request[Any, Any, Any], error: ChangedMeanwhileError) -> Response[bytes]:
    rule = "Read it again, and make the change in what is there now."
    body = ProblemBody(title="Precondition Failed", status=412, detail=error.message, field="If-Match", rule=rule)
    return respond(body)


def _too_many(_request: Request[Any, Any, Any], error: TooManyRequests) -> Response[bytes]:
    rule = "Ask again after Retry-After seconds."
    return respond(ProblemBody(title="Too Many Requests", status=429, detail=str(error), rule=rule), error.headers)


HANDLERS: ExceptionHandlersMap = {
    PreconditionRequired: _precondition_required,
    ChangedMeanwhileError: _changed_meanwhile,
    TooManyRequests: _too_many,
}
