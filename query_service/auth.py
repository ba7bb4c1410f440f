"""Who asks: the credential of a request, and the apps that it may read."""

from dataclasses import dataclass
from typing import Any, Literal

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from psycopg_pool import AsyncConnectionPool

from eventmill.control.credentials import Credential, authenticate_async
from eventmill.control.key_cache import KeyCache
from query_service.problems import Forbidden, Unauthorized

NO_KEY = "The request carries no key."


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever may read these apps. `subject` names the credential to people: `key:<prefix>` or `oidc:<subject>`."""

    app_ids: tuple[str, ...]
    kind: Literal["read", "admin"]
    may_see_people: bool
    subject: str


def key_cache(pool: AsyncConnectionPool) -> KeyCache:
    """Looks keys up in Postgres, and remembers them for seconds."""

    async def lookup(key: str) -> Credential | None:
        async with pool.connection() as connection:
            return await authenticate_async(connection, key)

    return KeyCache(lookup)


class Authenticator:
    """Tells what a bearer token may read, the same for every transport."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    async def authenticate(self, token: str | None) -> Reader:
        """The reader behind an API key.

        Raises Unauthorized without a valid one, Forbidden for a write key, NotReadyError where nobody can tell.
        """
        if not token:
            raise Unauthorized(NO_KEY)
        credential = await self._keys.find(token)
        if credential is None:
            raise Unauthorized("The key is unknown, expired or revoked.")
        if credential.kind == "write":
            raise Forbidden("A write key cannot read.")
        return Reader(credential.app_ids, credential.kind, credential.may_see_people, f"key:{credential.prefix}")


def bearer_token(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """What follows `Authorization: Bearer`; None without it."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def require_reader(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard: note who asks as `connection.state.reader`; raises as `Authenticator.authenticate` does."""
    authenticator: Authenticator = connection.app.state.authenticator
    connection.state.reader = await authenticator.authenticate(bearer_token(connection))


def require_admin(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
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
