"""The form of every refusal: Problem Details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class ProblemBody(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer's JSON. `type` is left out, which means `about:blank`: the status and title say it all."""

    title: str
    status: int
    detail: str
    field: str | None = None
    rule: str | None = None


def respond(body: ProblemBody, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The answer that carries `body`."""
    content = msgspec.json.encode(body)
    return Response(content, status_code=body.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def answer_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar exception handler for its own refusals: unknown path, wrong method."""
    title = HTTPStatus(error.status_code).phrase
    return respond(ProblemBody(title=title, status=error.status_code, detail=error.detail), error.headers)
