"""Kept answers: served while the version holds, computed once for a burst, forgotten in order."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_service.query.cache import AnswerCache, Kept


@dataclass
class Numbers:
    """A number that changes, and everything that is asked about it."""

    value: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    now: float = 0.0
    size: int = 10

    def cache(self, max_bytes: int = 1_000) -> AnswerCache[int]:
        return AnswerCache(lambda outcome: self.outcomes.update([outcome]), max_bytes=max_bytes, clock=lambda: self.now)

    async def version(self) -> str:
        await asyncio.sleep(0)
        return str(self.value)

    async def compute(self) -> Kept[int]:
        seen = self.value
        await asyncio.sleep(0)
        return Kept(seen, str(seen), self.version, self.size, ttl_seconds=60)


async def test_a_question_is_computed_once_and_kept() -> None:
    numbers = Numbers()
    cache = numbers.cache()
    assert [await cache.get("a", numbers.compute) for _ in range(3)] == [0, 0, 0]
    assert numbers.outcomes == {"miss": 1, "hit": 2}


async def test_a_changed_number_is_never_served_old() -> None:
    numbers = Numbers()
    cache = numbers.cache()
    await cache.get("a", numbers.compute)
    numbers.value = 1
    assert await cache.get("a", numbers.compute) == 1


async def test_an_answer_is_computed_again_when_its_time_is_over() -> None:
    numbers = Numbers()
    cache = numbers.cache()
    await cache.get("a", numbers.compute)
    numbers.now = 60.0
    await cache.get("a", numbers.compute)
    assert numbers.outcomes == {"miss": 2}


async def test_a_burst_of_one_question_runs_once() -> None:
    numbers = Numbers()
    cache = numbers.cache()
    assert await asyncio.gather(*(cache.get("a", numbers.compute) for _ in range(50))) == [0] * 50
    assert numbers.outcomes == {"miss": 1, "joined": 49}


async def test_who_joins_after_a_change_gets_the_new_number() -> None:
    numbers = Numbers()
    cache = numbers.cache()
    first = asyncio.create_task(cache.get("a", numbers.compute))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    numbers.value = 1
    assert await cache.get("a", numbers.compute) == 1
    await first


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    numbers = Numbers()
    cache = numbers.cache()

    async def fail() -> Kept[int]:
        await asyncio.sleep(0)
        raise ConnectionError

    failures = await asyncio.gather(*(cache.get("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failures] == [ConnectionError] * 3
    assert await cache.get("a", numbers.compute) == 0


async def test_the_work_ends_with_the_last_who_waits() -> None:
    cache = Numbers().cache()
    ended = asyncio.Event()

    async def wait_for_ever() -> Kept[int]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    waiting = [asyncio.create_task(cache.get("a", wait_for_ever)) for _ in range(2)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    assert not ended.is_set()
    waiting[1].cancel()
    await asyncio.wait_for(ended.wait(), 5)


async def test_the_least_recently_asked_for_goes_first() -> None:
    numbers = Numbers(size=100)
    cache = numbers.cache(max_bytes=400)
    for question in "abcd":
        await cache.get(question, numbers.compute)
    await cache.get("a", numbers.compute)
    await cache.get("e", numbers.compute)
    numbers.outcomes.clear()
    await cache.get("a", numbers.compute)
    await cache.get("b", numbers.compute)
    assert numbers.outcomes == {"hit": 1, "miss": 1}
    assert cache.size <= 400


async def test_an_answer_larger_than_a_quarter_of_the_cache_is_not_kept() -> None:
    numbers = Numbers(size=101)
    cache = numbers.cache(max_bytes=400)
    await cache.get("a", numbers.compute)
    assert cache.size == 0


Step = Callable[[], Awaitable[None]]


@given(st.lists(st.sampled_from(["a", "b", "change", "wait", "later"]), max_size=60))
def test_whatever_happens_an_answer_is_at_least_as_new_as_its_question(steps: list[str]) -> None:
    async def run() -> None:
        numbers = Numbers()
        cache = numbers.cache(max_bytes=25)
        waiting: list[asyncio.Task[None]] = []

        async def ask(question: str) -> None:
            before = numbers.value
            assert await cache.get(question, numbers.compute) >= before

        for step in steps:
            if step == "change":
                numbers.value += 1
            elif step == "later":
                numbers.now += 40
            elif step == "wait":
                await asyncio.sleep(0)
            else:
                waiting.append(asyncio.create_task(ask(step)))
        await asyncio.gather(*waiting)

    asyncio.run(run())


@pytest.mark.parametrize("count", [1, 3])
async def test_its_size_is_what_it_holds(count: int) -> None:
    numbers = Numbers()
    cache = numbers.cache()
    for question in range(count):
        await cache.get(question, numbers.compute)
        await cache.get(question, numbers.compute)
    assert cache.size == 10 * count
