"""A client that leaves takes its question along."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from litestar.types import Receive

from query_service.problems import ClientGone

# Most answers are there by then; watching the connection takes longer than some of them.
UNWATCHED_SECONDS = 0.05

Found = TypeVar("Found")


async def unless_gone(receive: Receive, answer: Awaitable[Found]) -> Found:
    """The answer; cancelled where the client closes its connection before. The body must have been read.

    Raises ClientGone where nobody is there to read an answer.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has one
    watch = _Watch(receive, task)
    try:
        return await answer
    except asyncio.CancelledError:
        # Not where the request itself was cancelled as well.
        if watch.has_cancelled and task.uncancel() == 0:
            raise ClientGone("The client closed its connection.") from None
        raise
    finally:
        await watch.stop()


class _Watch:
    """Cancels a task once its client has left; looks from UNWATCHED_SECONDS on."""

    def __init__(self, receive: Receive, task: asyncio.Task[Any]) -> None:
        self.has_cancelled = False
        self._receive, self._task = receive, task
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(UNWATCHED_SECONDS, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # what is left of the body of a request that is answered without it
        self.has_cancelled = True
        self._task.cancel()

    async def stop(self) -> None:
        """Look no longer."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
