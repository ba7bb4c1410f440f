"""Who asks: the key of a request, and the apps that it may read."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from psycopg_pool import AsyncConnectionPool

from eventmill.control.credentials import Credential, authenticate_async
from eventmill.control.key_cache import KeyCache
from query_service.problems import Forbidden, Unauthorized


def key_cache(pool: AsyncConnectionPool) -> KeyCache:
    """Looks keys up in Postgres, and remembers them for seconds."""

    async def lookup(key: str) -> Credential | None:
        async with pool.connection() as connection:
            return await authenticate_async(connection, key)

    return KeyCache(lookup)


async def require_reader(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard: note the apps that the request may read, for `provide_covered`.

    Raises Unauthorized without a valid key, Forbidden for a write key, NotReadyError where nobody can tell.
    """
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("The request carries no key.")
    keys: KeyCache = connection.app.state.key_cache
    credential = await keys.find(key.strip())
    if credential is None:
        raise Unauthorized("The key is unknown, expired or revoked.")
    if credential.kind == "write":
        raise Forbidden("A write key cannot read.")
    connection.state.covered = credential.app_ids
    connection.state.kind = credential.kind


def require_admin(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard, after `require_reader`: raise Forbidden unless the key may change what is saved."""
    if connection.state.kind != "admin":
        raise Forbidden(
            "A read key cannot change what is saved.", "Definitions are saved and deleted with an admin key."
        )


async def provide_covered(request: Request[Any, Any, Any]) -> tuple[str, ...]:
    """The ids of the apps that the request may read."""
    covered: tuple[str, ...] = request.state.covered
    return covered
