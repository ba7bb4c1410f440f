"""One run of the same work for all who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class SharedRun(Generic[Found]):
    """Runs `work` for everybody who asks, never for two at once.

    Who comes while it runs waits for the next run, together with all others who come meanwhile: what they get was
    begun after they had asked.
    """

    def __init__(self, work: Callable[[], Awaitable[Found]]) -> None:
        self._work = work
        self._running: asyncio.Task[Found] | None = None
        self._next: asyncio.Task[Found] | None = None

    async def get(self) -> Found:
        """What a run that begins now, or later, finds; or its exception."""
        if self._running is None or self._running.done():
            task = self._running = asyncio.create_task(self._run())
        else:
            task = self._next = self._next or asyncio.create_task(self._run_after(self._running))
        # Whoever gives up leaves it to the others.
        return await asyncio.shield(task)

    async def _run(self) -> Found:
        return await self._work()

    async def _run_after(self, running: asyncio.Task[Found]) -> Found:
        await asyncio.wait({running})
        self._running, self._next = self._next, None
        return await self._work()
