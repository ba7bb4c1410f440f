"""Answers as HTTP: in the form that was asked for, with a name of their numbers, or 304 where the client has them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.response.base import ASGIResponse

from query_service.problems import NotAcceptable
from query_service.query.query_answer import Encoded, SharedAnswer, encode, fields_of
from query_service.rest.formats import FORMATS, JSON, MEDIA_TYPES, chosen

# Stored by the client alone, and asked about each time: a number may change at any moment.
CACHE_CONTROL = "private, no-cache"
VARY = "Accept, Authorization, Cookie"
META_HEADER = "Eventmill-Meta"
READS_BY_POST = "reads"

_ALLOWED = f"One of: {', '.join(MEDIA_TYPES)}."


async def refuse_unacceptable(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard: raise NotAcceptable before anything is computed that nobody wants."""
    accept = connection.headers.get("accept")
    if accept and chosen(accept) is None:
        raise NotAcceptable(f"Nothing is written as {accept[:100]!a}.", _ALLOWED)


class AnswerResponse(Response[Any]):
    """The response class of all endpoints whose handlers return an answer with `data` and `meta`."""

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **options: Any) -> ASGIResponse:
        """Write the answer; anything else is written as Litestar does."""
        parts = _parts(self.content)
        if parts is None:
            return super().to_asgi_response(app, request, **options)
        data, meta = parts
        headers = {"cache-control": CACHE_CONTROL, "vary": VARY}
        if request.method != "GET" and READS_BY_POST not in request.route_handler.opt:
            return ASGIResponse(body=encode(data, meta).body, headers=headers, status_code=self.status_code)
        media_type = chosen(request.headers.get("accept") or JSON) or JSON
        if media_type != JSON and isinstance(data, Mapping):
            raise NotAcceptable("This answer is no list of rows.", f"One of: {JSON}.")
        encoded = self.content.encoded if isinstance(self.content, SharedAnswer) else encode(data, meta)
        return _written(request, encoded, (data, meta), media_type, headers)


def _written(
    request: Request[Any, Any, Any], encoded: Encoded, parts: tuple[Any, Any], media_type: str, headers: dict[str, str]
) -> ASGIResponse:
    form = FORMATS.get(media_type)
    etag = encoded.etag if form is None else f'{encoded.etag[:-1]}-{form.ending}"'
    headers["etag"] = etag
    if is_known(request.headers.get("if-none-match"), etag):
        return ASGIResponse(headers=headers, status_code=304)
    if form is None:
        return ASGIResponse(body=encoded.body, headers=headers, media_type=JSON)
    data, meta = parts
    fields = {} if meta is None else msgspec.to_builtins(fields_of(meta), enc_hook=str)
    headers[META_HEADER] = json.dumps(fields)
    headers["content-disposition"] = f'attachment; filename="eventmill.{form.ending}"'
    return ASGIResponse(body=form.write(data, fields), headers=headers, media_type=form.content_type)


def _parts(content: Any) -> tuple[Any, Any] | None:
    """Data and meta of an answer."""
    if isinstance(content, dict):
        return (content["data"], content.get("meta")) if "data" in content else None
    if hasattr(content, "data") and hasattr(content, "meta"):
        return content.data, content.meta
    return None


def is_known(given: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the answer, by the weak comparison of RFC 9110."""
    if given is None:
        return False
    names = {name.strip().removeprefix("W/") for name in given.split(",")}
    return given.strip() == "*" or etag.removeprefix("W/") in names
