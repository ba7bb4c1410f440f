"""Who asks: the credential of a request, and the apps that it may read."""

from typing import Any, Protocol

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from eventmill.control.key_cache import KeyCache
from query_service.limits import note_request
from query_service.oidc.sessions import Sessions, check_csrf, reader_of
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader

__all__ = ["Authenticator", "Reader", "bearer_token", "require_admin", "require_reader", "session_token", "token_of"]

KEY_PREFIX = "em_"
SESSION_COOKIE = "em_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Tokens(Protocol):
    """Verifies tokens of an issuer."""

    async def reader(self, token: str) -> Reader:
        """Raises Unauthorized, Forbidden or NotReadyError."""
        ...


class Authenticator:
    """Tells what a bearer token may read, the same for every transport; `tokens` is None without an issuer."""

    def __init__(self, keys: KeyCache, tokens: Tokens | None, sessions: Sessions) -> None:
        self._keys, self._tokens, self._sessions = keys, tokens, sessions

    async def authenticate(self, token: str | None) -> Reader:
        """The reader behind an API key or an issuer's token.

        Raises Unauthorized without a valid one, Forbidden for a write key or a token that names no app, NotReadyError
        where nobody can tell.
        """
        if not token:
            raise Unauthorized("The request carries no key.")
        if self._tokens is not None and not token.startswith(KEY_PREFIX):
            return await self._tokens.reader(token)
        credential = await self._keys.find(token)
        if credential is None:
            raise Unauthorized("The key is unknown, expired or revoked.")
        if credential.kind == "write":
            raise Forbidden("A write key cannot read.")
        return Reader(credential.app_ids, credential.kind, credential.may_see_people, f"key:{credential.prefix}")

    async def authenticate_session(self, token: str) -> Reader:
        """The reader behind a browser's session. Raises Unauthorized, NotReadyError."""
        return reader_of(await self._sessions.find(token))


def bearer_token(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The token of `Authorization`; None without one."""
    return token_of(connection.headers.get("authorization", ""))


def token_of(authorization: str) -> str | None:
    """What follows `Bearer` in the header; None where it is something else."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def session_token(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The token of the browser's session; None without one."""
    cookies = connection.cookies
    return cookies.get(f"__Host-{SESSION_COOKIE}") or cookies.get(SESSION_COOKIE)


async def require_reader(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard: note who asks as `connection.state.reader`; raises as `Authenticator.authenticate` does.

    A header goes before a cookie; a page that writes with a cookie must prove that it is ours.
    """
    authenticator: Authenticator = connection.app.state.authenticator
    token = session_token(connection)
    if token is None or "authorization" in connection.headers:
        reader = await authenticator.authenticate(bearer_token(connection))
    else:
        reader = await authenticator.authenticate_session(token)
        if connection.scope.get("method") not in SAFE_METHODS:
            check_csrf(token, connection.headers.get("x-csrf-token"), connection.headers.get("sec-fetch-site"))
    connection.state.reader = reader
    note_request(connection, reader.subject)


async def require_admin(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard, after `require_reader`: raise Forbidden unless the credential may change what is saved."""
    reader: Reader = connection.state.reader
    if reader.kind != "admin":
        raise Forbidden("A read key cannot change what is saved.", "What is saved is changed with an admin key.")


async def provide_covered(request: Request[Any, Any, Any]) -> tuple[str, ...]:
    """The ids of the apps that the request may read."""
    return (await provide_reader(request)).app_ids


async def provide_reader(request: Request[Any, Any, Any]) -> Reader:
    """Who asks."""
    reader: Reader = request.state.reader
    return reader
