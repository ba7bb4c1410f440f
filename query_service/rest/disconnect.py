"""A client that leaves takes its question along."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from litestar import Request
from litestar.exceptions import ClientException

# Most answers are there by then; watching the connection takes longer than some of them.
UNWATCHED_SECONDS = 0.05

Found = TypeVar("Found")


async def unless_gone(request: Request[Any, Any, Any], answer: Awaitable[Found]) -> Found:
    """The answer; cancelled where the client closes its connection before. The body must have been read.

    Raises ClientException where nobody is there to read an answer.
    """
    asked = asyncio.ensure_future(answer)
    try:
        await asyncio.wait({asked}, timeout=UNWATCHED_SECONDS)
        if asked.done():
            return asked.result()
        return await _watched(request, asked)
    finally:
        if not asked.done():
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


async def _watched(request: Request[Any, Any, Any], asked: asyncio.Future[Found]) -> Found:
    left = asyncio.ensure_future(_left(request))
    try:
        both: set[asyncio.Future[Any]] = {asked, left}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        raise ClientException("The client closed its connection.", status_code=499)
    finally:
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # what is left of the body of a request that is answered without it
