"""A service's keys in Postgres: looked up through a cache; now and then it is written down when they were used."""

import asyncio
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolClosed

from eventmill.control.credentials import Credential, authenticate_async, note_use
from eventmill.control.key_cache import KeyCache

LOOKUP_SECONDS = 1.0
# How often a service should call `flush_uses`.
FLUSH_SECONDS = 60.0

logger = structlog.get_logger(__name__)


class KeyStore:
    """No request waits for Postgres once its key is known (`keys`)."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._used_at: dict[str, datetime] = {}
        self.keys = KeyCache(self._lookup)

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
