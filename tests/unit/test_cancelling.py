"""A background task ends, even where a library has swallowed its cancellation."""

import asyncio

import pytest

from eventmill import cancelling


async def test_a_task_that_forgets_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "PATIENCE_SECONDS", 0.01)
    told = 0

    async def work() -> None:
        nonlocal told
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
                if told == 2:
                    raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await cancelling.cancel(task)
    assert (told, task.cancelled()) == (2, True)


async def test_a_task_that_has_failed_does_not_fail_who_ends_it() -> None:
    async def work() -> None:
        raise OSError

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await cancelling.cancel(task)
    assert task.done()
