"""`POST /api/v2/query` as most clients send it, answered without the framework (docs/decisions/0030).

The framework took more of the processor than the answer to most questions. What is out of the ordinary, a browser's
session or another form than JSON, still goes through it, to the handler that documents the endpoint (rest/query.py);
both ways ask the same path, and refuse by the same table of errors.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Litestar, Request, Response
from litestar.types import Receive, Scope, Send

from query_service.auth import Authenticator, token_of
from query_service.limits import RequestLimits
from query_service.query.path import QueryPath
from query_service.query.query_answer import Encoded
from query_service.query.question_reader import MAX_BODY_BYTES
from query_service.rest.disconnect import unless_gone
from query_service.rest.formats import JSON, chosen
from query_service.rest.query import PATH
from query_service.rest.responses import CACHE_CONTROL, VARY, is_known

Headers = Mapping[bytes, bytes]
Written = tuple[int, list[tuple[bytes, bytes]], bytes]

_ROUTE = ("http", "POST", f"/api{PATH}", b"")
_OF_ANSWERS = [(b"cache-control", CACHE_CONTROL.encode()), (b"vary", VARY.encode())]
_OF_JSON = (b"content-type", JSON.encode())


class DirectQuestions:
    """ASGI application: answers plain questions itself, and leaves everything else to `app`."""

    def __init__(self, app: Litestar) -> None:
        self.app = app
        self._path: QueryPath = app.state.path
        self._limits: RequestLimits = app.state.limits
        self._authenticator: Authenticator = app.state.authenticator
        self._refusals = app.exception_handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        given = _plain_headers(scope)
        if given is None:
            await self.app(scope, receive, send)
            return
        status, headers, body = await self._answered(given, scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _answered(self, given: Headers, scope: Scope, receive: Receive) -> Written:
        left: Mapping[str, str] = {}
        try:
            token = token_of(given[b"authorization"].decode("latin-1"))
            reader = await self._authenticator.authenticate(token)
            left = self._limits.take(reader.subject)
            answer = await unless_gone(receive, self._path.query_json(await _body(receive), reader.app_ids))
            status, headers, body = _written(answer.encoded, given.get(b"if-none-match"))
        except Exception as error:  # noqa: BLE001 - the table of refusals has a line for every one
            status, headers, body = self._refused(error, Request(scope, receive))
        return status, [*headers, *_encoded(left)], body

    def _refused(self, error: Exception, request: Request[Any, Any, Any]) -> Written:
        """What the table says of the error's class, or of the nearest one above, as the framework chooses."""
        refuse: Any = next(self._refusals[kind] for kind in type(error).__mro__ if kind in self._refusals)
        problem: Response[bytes] = refuse(request, error)
        told = {"content-type": str(problem.media_type), "content-length": str(len(problem.content))}
        return problem.status_code or 500, _encoded({**problem.headers, **told}), problem.content


def _plain_headers(scope: Scope) -> Headers | None:
    """The headers of a question that a key or a token asks, that says its length, and that is answered as JSON."""
    if (scope["type"], scope.get("method"), scope.get("path"), scope.get("query_string")) != _ROUTE:
        return None
    given = list(scope["headers"])
    headers = dict(given)
    length = headers.get(b"content-length", b"")
    is_plain = (
        len(headers) == len(given)  # none of them twice
        and b"authorization" in headers
        and length.isdigit()
        and int(length) <= MAX_BODY_BYTES
        and chosen(headers.get(b"accept", b"").decode("latin-1") or JSON) == JSON
    )
    return headers if is_plain else None


async def _body(receive: Receive) -> bytes:
    """What came; of a client that has left, what it had sent by then."""
    message: Any = await receive()
    parts = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _written(answer: Encoded, known: bytes | None) -> Written:
    named = [*_OF_ANSWERS, (b"etag", answer.etag.encode())]
    if known is not None and is_known(known.decode("latin-1"), answer.etag):
        return 304, named, b""
    return 200, [*named, _OF_JSON, (b"content-length", str(len(answer.body)).encode())], answer.body


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
