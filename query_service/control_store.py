"""Reads and changes what is saved in Postgres' schema `control`, off the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from eventmill.control.audit import act_as
from eventmill.settings import Settings
from eventmill.warehouse import pool

POOL_SIZE = 3
STATEMENT_TIMEOUT_MS = 5_000
Found = TypeVar("Found")


class ControlStore:
    """Runs functions of `eventmill.control`, the same that the command line calls, each in a transaction."""

    def __init__(self, settings: Settings) -> None:
        self._pool: ConnectionPool = pool(settings, max_size=POOL_SIZE, statement_timeout_ms=STATEMENT_TIMEOUT_MS)

    async def open(self) -> None:
        """Start connecting; does not wait for Postgres."""
        await asyncio.to_thread(self._pool.open, wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self._pool.close)

    async def run(self, use: Callable[[psycopg.Connection[Any]], Found], actor: str = "") -> Found:
        """What `use` returns, committed; `actor` is who changes something, for the audit log.

        Raises what `use` does, and psycopg.Error where Postgres does not answer.
        """

        def work() -> Found:
            with self._pool.connection() as connection:
                act_as(connection, actor)
                return use(connection)

        return await asyncio.to_thread(work)
