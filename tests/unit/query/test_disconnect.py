"""A client that leaves takes its question along."""

import asyncio
from typing import cast

import pytest
from litestar.types import Receive

from query_service.problems import ClientGone
from query_service.rest.disconnect import unless_gone


class Connection:
    """Gives its messages, then waits for ever."""

    def __init__(self, *messages: str) -> None:
        self._messages = list(messages)

    async def receive(self) -> dict[str, str]:
        if not self._messages:
            await asyncio.Event().wait()
        return {"type": self._messages.pop(0)}


class Question:
    """Is answered once `event` is set; knows whether it was cancelled."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_cancelled = False

    async def answer(self) -> str:
        try:
            await self.event.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        return "answer"


def request(*messages: str) -> Receive:
    return cast("Receive", Connection(*messages).receive)


async def test_an_answer_that_is_there_at_once_is_given() -> None:
    question = Question()
    question.event.set()
    assert await unless_gone(request(), question.answer()) == "answer"


async def test_an_answer_that_takes_long_is_given() -> None:
    question = Question()
    asyncio.get_running_loop().call_later(0.1, question.event.set)
    assert await unless_gone(request("http.request"), question.answer()) == "answer"


async def test_a_client_that_leaves_cancels_its_question() -> None:
    question = Question()
    with pytest.raises(ClientGone):
        await unless_gone(request("http.disconnect"), question.answer())
    assert question.is_cancelled


async def test_a_request_that_is_cancelled_cancels_its_question() -> None:
    question = Question()
    task = asyncio.create_task(unless_gone(request(), question.answer()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert question.is_cancelled


async def test_a_refusal_is_raised() -> None:
    async def refuse() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_gone(request(), refuse())
