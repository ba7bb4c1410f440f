"""Connections to Postgres, where control data, rollups and marts live."""

import re
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from eventmill.acting import ACTOR
from eventmill.errors import NotReadyError
from eventmill.settings import Settings

_OPTIONS = "-c timezone=UTC"


def connect(
    settings: Settings, *, autocommit: bool = False, connect_timeout: int = 5, **options: Any
) -> psycopg.Connection:
    """Open one connection whose session is in UTC. Raises NotReadyError where Postgres does not answer."""
    try:
        return psycopg.connect(
            settings.database_address,
            autocommit=autocommit,
            options=f"{_OPTIONS} {_acting(ACTOR.get())}",
            connect_timeout=connect_timeout,
            application_name="eventmill",
            **options,
        )
    except FileNotFoundError as error:
        raise NotReadyError(
            f"PostgreSQL was never started in this home: {error.filename} is missing.",
            "Start eventmill, or set EVENTMILL_HOME to where it runs.",
        ) from error
    except psycopg.OperationalError as error:
        raise NotReadyError(
            f"PostgreSQL does not answer: {str(error).strip()}",
            "Is it running? `eventmill status` tells; EVENTMILL_DATABASE_URL names an external one.",
        ) from error


def _acting(actor: str) -> str:
    """The option that tells the audit log who acts; what could end it is left out of the name."""
    return f"-c eventmill.actor={re.sub(r'[^A-Za-z0-9_.:@-]', '', actor)}"


def async_pool(
    settings: Settings,
    *,
    max_size: int,
    statement_timeout_ms: int,
    pool_class: type[AsyncConnectionPool] = AsyncConnectionPool,
    cursor_factory: type[psycopg.AsyncCursor[Any]] = psycopg.AsyncCursor,
) -> AsyncConnectionPool:
    """A pool, not opened yet, whose sessions are in UTC, read committed, and bounded in time per statement."""
    kwargs = _pooled(statement_timeout_ms) | {"autocommit": True, "cursor_factory": cursor_factory}
    return pool_class(settings.database_address, min_size=1, max_size=max_size, open=False, timeout=5, kwargs=kwargs)


def pool(settings: Settings, *, max_size: int, statement_timeout_ms: int) -> ConnectionPool:
    """As `async_pool`, for threads; each use of a connection is a transaction. Connections are tried before use."""
    return ConnectionPool(
        settings.database_address,
        min_size=1,
        max_size=max_size,
        open=False,
        timeout=5,
        check=ConnectionPool.check_connection,
        kwargs=_pooled(statement_timeout_ms),
    )


def _pooled(statement_timeout_ms: int) -> dict[str, Any]:
    return {
        "options": f"{_OPTIONS} -c statement_timeout={statement_timeout_ms}",
        "application_name": "eventmill",
        "connect_timeout": 5,
    }
