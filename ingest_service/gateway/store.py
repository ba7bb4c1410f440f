"""The gateway's side of Postgres: keys, their use, and salts. No request waits for it once its key is known."""

import asyncio
from datetime import date

from eventmill.control.key_store import LOOKUP_SECONDS, KeyStore
from eventmill.control.salts import salt_of


class CredentialStore(KeyStore):
    """Keys (`keys`) and daily salts, over a pool of its own."""

    async def open(self) -> None:
        """Start connecting; does not wait for Postgres."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def salt(self, day: date) -> bytes:
        """The salt of a UTC day."""
        async with asyncio.timeout(LOOKUP_SECONDS), self._pool.connection() as connection:
            return await salt_of(connection, day)

    async def check(self) -> None:
        """Raises psycopg.Error or TimeoutError where keys cannot be looked up."""
        async with asyncio.timeout(LOOKUP_SECONDS), self._pool.connection() as connection:
            await connection.execute("select from control.credential limit 1")
