"""Work that is run once for all who wait."""

import asyncio

import pytest

from query_service.query.shared import SharedRun


class Work:
    """Tells how often it was begun, once `gate` is open."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.gate = asyncio.Event()

    async def run(self) -> int:
        self.begun += 1
        self.running += 1
        assert self.running == 1
        number = self.begun
        await self.gate.wait()
        self.running -= 1
        return number


async def test_who_comes_while_it_runs_shares_the_next_run() -> None:
    work = Work()
    shared = SharedRun(work.run)
    first = asyncio.create_task(shared.get())
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared.get()) for _ in range(5)]
    await asyncio.sleep(0.01)
    work.gate.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 5
    assert await shared.get() == 3


async def test_who_gives_up_leaves_it_to_the_others() -> None:
    work = Work()
    shared = SharedRun(work.run)
    first, other = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
    await asyncio.sleep(0.01)
    first.cancel()
    other_after = asyncio.create_task(shared.get())
    work.gate.set()
    assert await other in {1, 2}
    assert await other_after == 2
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_failure_reaches_all_and_the_next_run_begins_anew() -> None:
    failures = iter([ConnectionError, ConnectionError])

    async def fail() -> None:
        await asyncio.sleep(0)
        for error in failures:
            raise error

    shared = SharedRun(fail)
    found = await asyncio.gather(*(shared.get() for _ in range(4)), return_exceptions=True)
    assert {type(one) for one in found} == {ConnectionError}
    await shared.get()
