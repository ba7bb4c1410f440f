"""Sandboxed workers: what they may open, and what a question may take."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from eventmill.lake import EVENTS, LakeTable
from eventmill.settings import Settings
from query_service.lake.errors import LakeBusy, LakeFailure, LakeLimit
from query_service.lake.jobs import Job
from query_service.lake.pool import LakePool
from tests.lake_of import HandMadeLake, event

pytestmark = [pytest.mark.timeout(40), pytest.mark.asyncio(loop_scope="module")]
ENDLESS = "select count(*) from range(100000000000) as t (a) where a % 7 = hash(a) % 5"
NOW = datetime(2026, 5, 12, 10, tzinfo=UTC)


def _job(sql: str, app_id: str = "shop", **more: Any) -> Job:
    return Job("rows", app_id, {"statements": [{"sql": sql}]}, **more)


@pytest.fixture(scope="module")
def lake_home(new_directory: Callable[[], Path]) -> Path:
    home = new_directory()
    HandMadeLake(home / "lake").append([event("e1", NOW, user_id="u1"), event("e2", NOW, user_id="u2")])
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(lake_home: Path) -> AsyncIterator[LakePool]:
    settings = Settings(home=lake_home, query_lake_workers=1, query_lake_memory_limit="200MB")
    pool = LakePool(settings, CollectorRegistry())
    pool.start()
    yield pool
    await pool.close()


async def _value(pool: LakePool, sql: str, **more: Any) -> Any:
    table, _ = await pool.run(_job(sql, **more))
    return table.columns[0][0].as_py()


async def test_a_worker_reads_the_lake_and_nothing_else(pool: LakePool, lake_home: Path) -> None:
    files = LakeTable(lake_home / "lake", EVENTS).snapshot().files["path"].to_pylist()
    table = lake_home / "lake" / "events" / files[0]
    assert await _value(pool, f"select count(*) from read_parquet('{table}')") == 2
    secret = lake_home / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    outside = [
        f"from read_csv('{secret}')",
        f"from read_csv('{lake_home}/lake/../secret.csv')",
        f"from '{secret}'",
        "from read_text('/etc/passwd')",
        f"from glob('{lake_home}/*')",
        f"attach '{lake_home}/other.db'",
        "install httpfs",
        "load httpfs",
        "from read_parquet('https://example.org/a.parquet')",
        "set enable_external_access = true",
        "set memory_limit = '100GB'",
        "reset allowed_directories",
        "pragma enable_profiling",
    ]
    for sql in outside:
        with pytest.raises(LakeFailure):
            await pool.run(_job(sql))


async def test_a_worker_writes_no_file_even_inside_the_lake(pool: LakePool, lake_home: Path) -> None:
    with pytest.raises(LakeFailure):
        await pool.run(_job(f"copy (select 1 as a) to '{lake_home}/lake/x.csv'"))
    left = lake_home / "lake" / "x.csv"
    assert not left.exists() or left.stat().st_size == 0


async def test_a_question_ends_at_its_time_and_the_next_one_is_answered(pool: LakePool) -> None:
    with pytest.raises(LakeLimit) as caught:
        await pool.run(_job(ENDLESS, seconds=0.2))
    assert caught.value.limit == "seconds"
    assert await _value(pool, "select 42") == 42


async def test_a_question_ends_at_its_memory_and_the_next_one_is_answered(pool: LakePool) -> None:
    with pytest.raises(LakeLimit) as caught:
        await pool.run(_job("select count(*) from (select a from range(30000000) as t (a) group by a)"))
    assert caught.value.limit == "memory"
    assert await _value(pool, "select 42") == 42


async def test_an_answer_has_so_many_rows_and_no_more(pool: LakePool) -> None:
    with pytest.raises(LakeLimit) as caught:
        await pool.run(_job("from range(11)", max_rows=10))
    assert caught.value.limit == "rows"
    table, _ = await pool.run(_job("from range(10)", max_rows=10))
    assert table.num_rows == 10


async def test_who_leaves_frees_the_worker(pool: LakePool) -> None:
    await _value(pool, "select 1")
    pids = pool.pids
    asked = asyncio.create_task(pool.run(_job(ENDLESS, seconds=60)))
    await asyncio.sleep(0.1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    async with asyncio.timeout(20):
        assert await _value(pool, "select 42") == 42
    assert pool.pids == pids


async def test_a_worker_that_dies_is_replaced(pool: LakePool) -> None:
    await _value(pool, "select 1")
    [pid] = pool.pids
    asked = asyncio.create_task(pool.run(_job(ENDLESS, seconds=60)))
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LakeFailure):
        await asked
    assert await _value(pool, "select 42") == 42
    assert pool.pids != [pid]


async def test_a_worker_that_does_not_obey_is_killed_and_replaced(pool: LakePool) -> None:
    await _value(pool, "select 1")
    [pid] = pool.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(LakeLimit):
        await pool.run(_job("select 1", seconds=0.1))
    assert await _value(pool, "select 42") == 42
    assert pool.pids != [pid]


async def test_a_full_queue_refuses_and_those_inside_it_are_answered(pool: LakePool) -> None:
    asked = [asyncio.create_task(pool.run(_job(f"select {number}"))) for number in range(40)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, LakeBusy) for one in found] == [False] * 32 + [True] * 8
    assert [one[0].columns[0][0].as_py() for one in found[:32] if not isinstance(one, BaseException)] == [*range(32)]


async def test_tables_that_come_with_a_question_are_forgotten_after_it(pool: LakePool) -> None:
    rows = pa.table({"a": [1, 2, 3]})
    table, _ = await pool.run(_job("select sum(a) from given", tables=("given",)), [rows])
    assert table.columns[0][0].as_py() == 6
    await pool.run(_job("create temp table kept as select 1"))
    for name in ("given", "kept"):
        with pytest.raises(LakeFailure):
            await pool.run(_job(f"from {name}"))
