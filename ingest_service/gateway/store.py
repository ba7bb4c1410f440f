"""The gateway's side of Postgres: keys, their use, and salts. No request waits for it once its key is known."""

import asyncio
from datetime import UTC, date, datetime

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolClosed

from eventmill.control.credentials import Credential, authenticate_async, note_use
from eventmill.control.key_cache import KeyCache
from eventmill.control.salts import salt_of

LOOKUP_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class CredentialStore:
    """Looks keys up through a cache (`keys`), and writes down now and then when they were used."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._used_at: dict[str, datetime] = {}
        self.keys = KeyCache(self._lookup)

    async def open(self) -> None:
        """Start connecting; does not wait for Postgres."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def _lookup(self, key: str) -> Credential | None:
        async with asyncio.timeout(LOOKUP_SECONDS):
            while True:
                try:
                    async with self._pool.connection() as connection:
                        credential = await authenticate_async(connection, key)
                    break
                except PoolClosed:
                    raise
                except psycopg.OperationalError:
                    # After a restart of Postgres each pooled connection fails once before it is replaced.
                    await asyncio.sleep(0.05)
        if credential is not None:
            self._used_at[credential.credential_id] = datetime.now(UTC)
        return credential

    async def salt(self, day: date) -> bytes:
        """The salt of a UTC day."""
        async with asyncio.timeout(LOOKUP_SECONDS), self._pool.connection() as connection:
            return await salt_of(connection, day)

    async def flush_uses(self) -> None:
        """Store when keys were last looked up; where Postgres is away, the next call does it."""
        if not self._used_at:
            return
        used_at, self._used_at = self._used_at, {}
        try:
            async with asyncio.timeout(LOOKUP_SECONDS), self._pool.connection() as connection:
                await note_use(connection, used_at)
        except (psycopg.Error, OSError, TimeoutError) as error:
            self._used_at = used_at | self._used_at
            logger.warning("last use of keys not stored", error=str(error) or type(error).__name__)

    async def check(self) -> None:
        """Raises psycopg.Error or TimeoutError where keys cannot be looked up."""
        async with asyncio.timeout(LOOKUP_SECONDS), self._pool.connection() as connection:
            await connection.execute("select from control.credential limit 1")
