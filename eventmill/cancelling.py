"""Ends background tasks for certain."""

import asyncio
from typing import Any

PATIENCE_SECONDS = 1.0


async def cancel(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and return when they have ended, however they did.

    Until Python 3.12, `asyncio.wait_for` forgets a cancellation that meets its result (python/cpython#86296), and a
    task that works for ever would then do so: so it is told again.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=PATIENCE_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
