"""Everything that answers from the lake, started and stopped together."""

import asyncio
import contextlib

from prometheus_client import CollectorRegistry

from eventmill.settings import Settings
from query_service.lake.copies import HourCopies
from query_service.lake.pool import LakePool
from query_service.lake.snapshots import LakeSnapshots
from query_service.query.lake_queries import LakeQueries


class Lake:
    """`queries` answer between `start` and `close`."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.pool = LakePool(settings, registry)
        self.snapshots = LakeSnapshots(settings)
        self.copies = HourCopies(self.pool, self.snapshots)
        self.queries = LakeQueries(self.pool, self.snapshots, self.copies, settings.query_lake_seconds)
        self._warming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the workers, which are ready some time later, and look for copies while nobody asks."""
        self.pool.start()
        self._warming = asyncio.create_task(self.copies.keep_warm())

    async def close(self) -> None:
        """End the workers."""
        if self._warming is not None:
            self._warming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._warming
        await self.pool.close()
