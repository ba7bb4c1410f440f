"""A client that leaves takes its question along."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from litestar import Request
from litestar.exceptions import ClientException

Found = TypeVar("Found")


async def unless_gone(request: Request[Any, Any, Any], answer: Awaitable[Found]) -> Found:
    """The answer; cancelled where the client closes its connection before. The body must have been read.

    Raises ClientException where nobody is there to read an answer.
    """
    asked, left = asyncio.ensure_future(answer), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({asked, left}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        raise ClientException("The client closed its connection.", status_code=499)
    finally:
        for task in (asked, left):
            task.cancel()
        await asyncio.gather(asked, left, return_exceptions=True)


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # what is left of the body of a request that is answered without it
