"""What an error says to a client: a message, and `extensions` with `code`, `field`, `rule` and `retry_after`.

Whatever is no refusal of ours is told as INTERNAL, and goes to the log whole.
"""

from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from eventmill.control.definitions import UnknownDefinitionError
from eventmill.errors import DefinitionError, LakeError, NotReadyError
from eventmill.http.problems import RETRY_AFTER_SECONDS
from query_service.access_problems import TooManyRequests
from query_service.lake.errors import LakeBusy, LakeFailure, LakeLimit
from query_service.problems import Forbidden, Unauthorized
from query_service.query.errors import InvalidParameter, NoSource, UnknownApp

Said = tuple[str, dict[str, Any]]

logger = structlog.get_logger(__name__)

_TOO_LONG = "The answer took too long to compute."
_SHORTER = "Ask for a shorter range, or for fewer rows."
_UNREADABLE = "The numbers cannot be read at the moment."
_ARGUMENTS = {"start": "from", "end": "to", "definition": "steps"}


class Refusal(GraphQLError):  # noqa: N818 - it reads as what it is
    """A request that is refused before it is executed, or by the gateway."""

    def __init__(self, message: str, code: str, **more: Any) -> None:
        known = {name: value for name, value in more.items() if value is not None}
        super().__init__(message, extensions={"code": code, **known})


def argument(field: str) -> str:
    """The argument that a field of the query path comes from."""
    head, *rest = _ARGUMENTS.get(field, field).split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _invalid(error: InvalidParameter) -> Said:
    name = argument(error.field)
    message = error.message.replace(f"{error.field}=", f"{name}=")
    return message, {"code": "BAD_USER_INPUT", "field": name, "rule": error.rule}


def _definition(error: DefinitionError) -> Said:
    return "The question breaks a rule.", {"code": "BAD_USER_INPUT", "field": error.field, "rule": error.rule}


def _unknown_app(error: UnknownApp) -> Said:
    return str(error), {"code": "NOT_FOUND", "field": "appId"}


def _unknown_definition(error: UnknownDefinitionError) -> Said:
    return error.message, {"code": "NOT_FOUND", "field": "id"}


def _forbidden(error: Forbidden) -> Said:
    return str(error), {"code": "FORBIDDEN", "field": "Authorization", "rule": error.rule}


def _unauthorized(error: Unauthorized) -> Said:
    return str(error), {"code": "UNAUTHENTICATED", "field": "Authorization"}


def _too_many(error: TooManyRequests) -> Said:
    wait = int(error.headers.get("Retry-After", RETRY_AFTER_SECONDS))
    return str(error), {"code": "RATE_LIMITED", "retry_after": wait}


def _no_source(error: NoSource) -> Said:
    return error.message, {"code": "UNAVAILABLE", "rule": error.rule}


def _busy(error: LakeBusy) -> Said:
    return str(error), {"code": "UNAVAILABLE", "retry_after": error.retry_after_seconds}


def _limit(error: LakeLimit) -> Said:
    return error.message, {"code": "TOO_EXPENSIVE", "rule": error.rule}


def _too_long(_error: Exception) -> Said:
    return _TOO_LONG, {"code": "TOO_EXPENSIVE", "rule": _SHORTER}


def _unreadable(error: Exception) -> Said:
    logger.warning("no answer", error=str(error) or type(error).__name__)
    return _UNREADABLE, {"code": "UNAVAILABLE", "retry_after": RETRY_AFTER_SECONDS}


_NO_OPERATION = (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError)
# The first that fits; psycopg's QueryCanceled is an OperationalError too.
_SAID: tuple[tuple[type[Exception], Callable[[Any], Said]], ...] = (
    (InvalidParameter, _invalid),
    (UnknownApp, _unknown_app),
    (UnknownDefinitionError, _unknown_definition),
    (DefinitionError, _definition),
    (Unauthorized, _unauthorized),
    (Forbidden, _forbidden),
    (TooManyRequests, _too_many),
    (NoSource, _no_source),
    (LakeBusy, _busy),
    (LakeLimit, _limit),
    (psycopg.errors.QueryCanceled, _too_long),
    (TimeoutError, _too_long),
    (LakeFailure, _unreadable),
    (LakeError, _unreadable),
    (psycopg.OperationalError, _unreadable),
    (NotReadyError, _unreadable),
)


def explained(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it."""
    message, extensions = _said(error)
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, None, extensions)


def _said(error: GraphQLError) -> Said:
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        found = original or error
        code = "SYNTAX" if isinstance(error, GraphQLSyntaxError) else "BAD_REQUEST"
        return error.message, {"code": code, **(found.extensions or {}), **(error.extensions or {})}
    if isinstance(original, _NO_OPERATION):
        return error.message, {"code": "BAD_REQUEST", "field": "operationName"}
    for kind, say in _SAID:
        if isinstance(original, kind):
            return say(original)
    if error.path is None and error.nodes:
        # A variable that its type does not take.
        return error.message, {"code": "BAD_REQUEST"}
    logger.error("GraphQL request failed", exc_info=original)
    return "The service failed to answer; its log says why.", {"code": "INTERNAL"}
