"""Funnels and retention of equal files are computed once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from eventmill.settings import Settings
from query_service.lake.copies import HourCopies
from query_service.lake.jobs import Job
from query_service.lake.pool import LakePool
from query_service.lake.snapshots import LakeSnapshots
from query_service.query.lake_asking import Asked, LakeAsking
from query_service.query.lake_funnels import microseconds
from tests.lake_of import NOW, HandMadeLake, event

SINCE = NOW - timedelta(days=1)


@dataclass
class Workers:
    """Answers each job with its number; the copies that `copies` names are left out."""

    jobs: list[Job] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)

    async def run(self, job: Job, _tables: Any) -> tuple[pa.Table, dict[str, Any]]:
        self.jobs.append(job)
        await asyncio.sleep(0)
        return pa.table({"number": [len(self.jobs)]}), {}

    async def excluded(self, _homes: Any, _app_id: str) -> pa.Table:
        return pa.table({"place": pa.array(self.copies, pa.int64())})


@dataclass
class Lake:
    """A lake with some events, and who asks about it."""

    made: HandMadeLake
    workers: Workers
    asking: LakeAsking

    async def ask(self, task: Any = "funnel", **arguments: Any) -> int:
        await self.asking.snapshots.refresh()
        events = self.asking.events("shop", microseconds(SINCE), microseconds(NOW))
        table, _ = await self.asking.run(Asked(task, "shop", arguments, events))
        number: int = table["number"][0].as_py()
        return number


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> Lake:
    settings = Settings(home=new_directory())
    made = HandMadeLake(settings.home / "lake")
    made.append([event("e1", SINCE)])
    workers = Workers()
    asking = LakeAsking(cast("LakePool", workers), LakeSnapshots(settings), cast("HourCopies", workers))
    return Lake(made, workers, asking)


async def test_equal_funnels_are_computed_once(lake: Lake) -> None:
    assert await asyncio.gather(*(lake.ask(steps=["view"]) for _ in range(5))) == [1] * 5
    assert await lake.ask(steps=["view"]) == 1


async def test_another_funnel_is_another_answer(lake: Lake) -> None:
    assert [await lake.ask(steps=["view"]), await lake.ask(steps=["buy"])] == [1, 2]


async def test_new_events_make_an_answer_anew(lake: Lake) -> None:
    before = await lake.ask()
    lake.made.append([event("e2", SINCE)])
    assert [before, await lake.ask()] == [1, 2]


async def test_new_copies_make_an_answer_anew(lake: Lake) -> None:
    before = await lake.ask()
    lake.workers.copies.append(4096)
    assert [before, await lake.ask()] == [1, 2]


async def test_lists_of_people_are_asked_for_each_time(lake: Lake) -> None:
    assert [await lake.ask("funnel_people"), await lake.ask("funnel_people")] == [1, 2]
