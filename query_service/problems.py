"""Refusals as Problem Details (RFC 9457)."""

from typing import Any

import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from eventmill.control.definitions import UnknownDefinitionError
from eventmill.errors import DefinitionError, NotReadyError
from eventmill.http.problems import RETRY_AFTER_SECONDS, ProblemBody, answer_http_error, respond
from eventmill.http.requests import without_secrets
from query_service.query.errors import InvalidParameter, NoSource, UnknownApp

logger = structlog.get_logger(__name__)


class Unauthorized(Exception):  # noqa: N818 - the standard's own word
    """No valid key came."""


class Forbidden(Exception):  # noqa: N818 - the standard's own word
    """The key is valid but of a kind that may not do this; `rule` says which may."""

    def __init__(self, detail: str, rule: str = "Numbers are read with a read key or an admin key.") -> None:
        super().__init__(detail)
        self.rule = rule


class ClientGone(Exception):  # noqa: N818 - it reads as what it is
    """The client closed its connection: nobody will read an answer."""


class NotAcceptable(Exception):  # noqa: N818 - the standard's own word
    """The answer is not written in any form that the client takes; `rule` names those that there are."""

    def __init__(self, detail: str, rule: str) -> None:
        super().__init__(detail)
        self.rule = rule


def _client_gone(_request: Request[Any, Any, Any], error: ClientGone) -> Response[bytes]:
    # The status that proxies log where a client left; nobody receives it.
    return respond(ProblemBody(title="Client Closed Request", status=499, detail=str(error)))


def _not_acceptable(_request: Request[Any, Any, Any], error: NotAcceptable) -> Response[bytes]:
    body = ProblemBody(title="Not Acceptable", status=406, detail=str(error), field="Accept", rule=error.rule)
    return respond(body)


def _no_source(_request: Request[Any, Any, Any], error: NoSource) -> Response[bytes]:
    return respond(ProblemBody(title="Service Unavailable", status=503, detail=error.message, rule=error.rule))


def _invalid(_request: Request[Any, Any, Any], error: InvalidParameter) -> Response[bytes]:
    return respond(
        ProblemBody(title="Bad Request", status=400, detail=error.message, field=error.field, rule=error.rule)
    )


def _unknown_app(_request: Request[Any, Any, Any], error: UnknownApp) -> Response[bytes]:
    return respond(ProblemBody(title="Not Found", status=404, detail=str(error), field="app_id"))


def _unauthorized(_request: Request[Any, Any, Any], error: Unauthorized) -> Response[bytes]:
    rule = "Send a read or admin key as `Authorization: Bearer <key>`."
    body = ProblemBody(title="Unauthorized", status=401, detail=str(error), field="Authorization", rule=rule)
    return respond(body, {"WWW-Authenticate": "Bearer"})


def _forbidden(_request: Request[Any, Any, Any], error: Forbidden) -> Response[bytes]:
    detail, rule = str(error), error.rule
    return respond(ProblemBody(title="Forbidden", status=403, detail=detail, field="Authorization", rule=rule))


def _wrong_definition(_request: Request[Any, Any, Any], error: DefinitionError) -> Response[bytes]:
    detail = "The definition breaks a rule."
    return respond(ProblemBody(title="Bad Request", status=400, detail=detail, field=error.field, rule=error.rule))


def _unknown_definition(_request: Request[Any, Any, Any], error: UnknownDefinitionError) -> Response[bytes]:
    rule = "The id or identifier of one that the list shows."
    return respond(ProblemBody(title="Not Found", status=404, detail=error.message, field="id", rule=rule))


def _too_long(_request: Request[Any, Any, Any], _error: psycopg.errors.QueryCanceled) -> Response[bytes]:
    return respond(
        ProblemBody(
            title="Service Unavailable",
            status=503,
            detail="The answer took too long to compute.",
            rule="Ask for a shorter range, or for fewer rows.",
        )
    )


def _no_database(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    logger.warning("Postgres does not answer", error=str(error) or type(error).__name__)
    body = ProblemBody(title="Service Unavailable", status=503, detail="The numbers cannot be read at the moment.")
    return respond(body, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    logger.error("request failed", path=without_secrets(request.url.path), exc_info=error)
    detail = "The service failed to answer; its log says why."
    return respond(ProblemBody(title="Internal Server Error", status=500, detail=detail))


HANDLERS: ExceptionHandlersMap = {
    InvalidParameter: _invalid,
    UnknownApp: _unknown_app,
    NoSource: _no_source,
    NotAcceptable: _not_acceptable,
    ClientGone: _client_gone,
    DefinitionError: _wrong_definition,
    UnknownDefinitionError: _unknown_definition,
    Unauthorized: _unauthorized,
    Forbidden: _forbidden,
    HTTPException: answer_http_error,
    psycopg.errors.QueryCanceled: _too_long,
    psycopg.OperationalError: _no_database,
    NotReadyError: _no_database,
    Exception: _unexpected,
}
