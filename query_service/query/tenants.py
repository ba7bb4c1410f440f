"""Which app a question is about, looked up once a second however many ask."""

import time
from collections.abc import Callable

from query_service.query.executor import Executor
from query_service.query.model import Tenant

# An app that is deleted, or whose time zone changes, is seen as it was for so long.
TTL_SECONDS = 1.0
MAX_TENANTS = 10_000


class Tenants:
    """Remembers apps for a second. Raises UnknownApp for one that does not exist."""

    def __init__(self, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self._executor, self._clock = executor, clock
        self._known: dict[str, tuple[Tenant, float]] = {}

    async def find(self, app_id: str) -> Tenant:
        """The app, its time zone, and where its data begins."""
        known = self._known.get(app_id)
        if known is not None and known[1] > self._clock():
            return known[0]
        asked_at = self._clock()
        tenant = await self._executor.tenant(app_id)
        if len(self._known) >= MAX_TENANTS:
            self._known.clear()
        self._known[app_id] = (tenant, asked_at + TTL_SECONDS)
        return tenant
