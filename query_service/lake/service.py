"""Everything that answers from the lake, started and stopped together."""

import asyncio
import contextlib

from prometheus_client import CollectorRegistry

from eventmill.settings import Settings
from query_service.lake.copies import HourCopies
from query_service.lake.pool import LakePool
from query_service.lake.snapshots import LakeSnapshots
from query_service.query.event_list import EventList
from query_service.query.lake_asking import LakeAsking
from query_service.query.lake_funnels import LakeFunnels
from query_service.query.lake_queries import LakeQueries
from query_service.query.people import People


class Lake:
    """`queries` answer between `start` and `close`."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.pool = LakePool(settings, registry)
        self.snapshots = LakeSnapshots(settings)
        self.copies = HourCopies(self.pool, self.snapshots)
        self.asking = LakeAsking(self.pool, self.snapshots, self.copies, settings.query_lake_seconds)
        self.queries = LakeQueries(self.asking)
        self.funnels = LakeFunnels(self.asking)
        self.events = EventList(self.asking)
        self.people = People(self.asking, self.funnels, self.events)
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
