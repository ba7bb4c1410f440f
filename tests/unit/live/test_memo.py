"""Shared answers: computed once for all who ask, given while they are recent, never older than what was asked for."""

import asyncio

import pytest

from query_service.live.memo import Memo


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Something that changes, and how often it was computed."""

    def __init__(self) -> None:
        self.version = 1
        self.computed = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def compute(self) -> int:
        self.computed += 1
        found = self.version
        await self.may_answer.wait()
        return found


async def ask(memo: Memo[int], source: Source, *, is_newest: bool = False) -> int:
    return await memo.get("key", lambda: source.version, source.compute, is_newest=is_newest)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_burst_of_the_same_question_is_computed_once() -> None:
    memo, source = Memo[int](clock=Clock()), Source()
    assert await asyncio.gather(*(ask(memo, source) for _ in range(20))) == [1] * 20
    assert source.computed == 1


async def test_an_answer_that_is_no_longer_fresh_is_given_and_computed_again_meanwhile() -> None:
    clock, source = Clock(), Source()
    memo = Memo[int](fresh_seconds=1, stale_seconds=10, clock=clock)
    await ask(memo, source)
    source.version, clock.now = 2, clock.now + 5
    assert await ask(memo, source) == 1
    await settled()
    assert await ask(memo, source) == 2


async def test_an_answer_that_is_too_old_is_waited_for() -> None:
    clock, source = Clock(), Source()
    memo = Memo[int](fresh_seconds=1, stale_seconds=10, clock=clock)
    await ask(memo, source)
    source.version, clock.now = 2, clock.now + 11
    assert await ask(memo, source) == 2


async def test_the_newest_answer_knows_what_came_while_another_was_computed() -> None:
    memo, source = Memo[int](clock=Clock()), Source()
    source.may_answer.clear()
    first = asyncio.create_task(ask(memo, source))
    await settled()
    source.version = 2
    newest = asyncio.create_task(ask(memo, source, is_newest=True))
    await settled()
    source.may_answer.set()
    assert await asyncio.gather(first, newest) == [1, 2]


async def test_an_error_reaches_who_waits_and_the_next_one_asks_again() -> None:
    memo = Memo[int](clock=Clock())
    answers = iter([OSError("away"), 3])

    async def compute() -> int:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    with pytest.raises(OSError, match="away"):
        await memo.get("key", lambda: 1, compute, is_newest=False)
    assert await memo.get("key", lambda: 1, compute, is_newest=False) == 3
