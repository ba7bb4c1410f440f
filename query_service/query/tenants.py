"""Which app a question is about."""

import time
from collections.abc import Callable
from functools import partial

from query_service.query.executor import Executor
from query_service.query.model import Tenant
from query_service.query.remembered import Remembered


class Tenants:
    """Remembers apps for a second: one that is deleted, or whose time zone changes, is seen as it was for so long.

    Raises UnknownApp for one that does not exist.
    """

    def __init__(self, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self._executor = executor
        self._known: Remembered[Tenant] = Remembered(clock)

    async def find(self, app_id: str) -> Tenant:
        """The app, its time zone, and where its data begins."""
        return await self._known.get(app_id, partial(self._executor.tenant, app_id))
