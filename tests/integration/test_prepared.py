"""Statements through asyncpg: values by name, errors as psycopg's, and connections that come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog
from prometheus_client import CollectorRegistry
from psycopg_pool import PoolTimeout

from eventmill.settings import Settings
from query_service import prepared as module
from query_service.observing import StatementCare, observed_prepared
from query_service.prepared import PreparedPool

pytestmark = pytest.mark.integration


@pytest.fixture
async def pool(database: str) -> AsyncIterator[PreparedPool]:
    async with PreparedPool(database, max_size=1, statement_timeout_ms=200) as opened:
        yield opened


async def test_values_are_given_by_name_as_often_as_they_are_named(pool: PreparedPool) -> None:
    text = "select %(one)s::int + %(one)s::int * %(two)s::int, 'a' like '%%', %(none)s::text"
    assert [tuple(row) for row in await pool.rows(text, {"one": 1, "two": 2, "none": None})] == [(3, True, None)]


async def test_a_list_of_instants_may_come_as_text(pool: PreparedPool) -> None:
    text = "select unnest(%(starts)s::text::timestamptz[])"
    rows = await pool.rows(text, {"starts": "{2026-03-07T05:00:00+00:00,2026-03-08T00:00:00-05:00}"})
    assert [row[0] for row in rows] == [datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 3, 8, 5, tzinfo=UTC)]


async def test_what_postgres_refuses_is_psycopgs_error(pool: PreparedPool) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        await pool.rows("select from nowhere", {})


async def test_a_statement_ends_at_its_limit_and_the_next_is_answered(pool: PreparedPool) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        await pool.rows("select pg_sleep(5)", {})
    assert len(await pool.rows("select 1", {})) == 1


@pytest.mark.parametrize("is_known_to_be_gone", [False, True])
async def test_a_connection_that_was_ended_is_made_anew(
    pool: PreparedPool, database: str, is_known_to_be_gone: bool
) -> None:
    [(pid,)] = await pool.rows("select pg_backend_pid()", {})
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", [pid])
    if is_known_to_be_gone:
        await asyncio.sleep(0.2)
    [(other,)] = await pool.rows("select pg_backend_pid()", {})
    assert other != pid


async def test_a_postgres_that_is_away_is_an_operational_error() -> None:
    async with PreparedPool("postgresql://nobody@127.0.0.1:1/none", max_size=1, statement_timeout_ms=200) as pool:
        with pytest.raises(psycopg.OperationalError):
            await pool.rows("select 1", {})


async def test_who_finds_no_free_connection_hears_of_it(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 1.0)
    async with PreparedPool(database, max_size=1, statement_timeout_ms=5_000) as pool:
        long = asyncio.create_task(pool.rows("select pg_sleep(3)", {}))
        await asyncio.sleep(0.1)
        with pytest.raises(PoolTimeout):
            await pool.rows("select 1", {})
        await long


async def test_a_question_that_is_given_up_is_cut_and_leaves_its_connection_to_the_next(database: str) -> None:
    async with PreparedPool(database, max_size=1, statement_timeout_ms=30_000) as pool:
        long = asyncio.create_task(pool.rows("select pg_sleep(20)", {}))
        await asyncio.sleep(0.1)
        long.cancel()
        async with asyncio.timeout(5):
            assert [tuple(row) for row in await pool.rows("select 2", {})] == [(2,)]
        assert pool.get_stats() == {"pool_size": 1, "pool_available": 1, "requests_waiting": 0}


async def test_a_postgres_that_was_away_is_found_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with PreparedPool(database, max_size=1, statement_timeout_ms=5_000) as pool:
        there = pool._address
        monkeypatch.setattr(pool, "_address", "postgresql://nobody@127.0.0.1:1/none")
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError):
                await pool.rows("select 1", {})
        monkeypatch.setattr(pool, "_address", there)
        assert len(await pool.rows("select 1", {})) == 1


@pytest.mark.parametrize(
    "more", ["?application_name=x&connect_timeout=5&channel_binding=prefer&sslmode=prefer", "?options=-c%20geqo%3Doff"]
)
async def test_an_address_may_say_what_libpq_knows(database: str, more: str) -> None:
    async with PreparedPool(database + more, max_size=1, statement_timeout_ms=5_000) as pool:
        assert len(await pool.rows("select 1", {})) == 1


async def test_an_address_may_be_libpqs_words(database: str) -> None:
    words = psycopg.conninfo.make_conninfo(database)
    async with PreparedPool(words, max_size=1, statement_timeout_ms=5_000) as pool:
        assert len(await pool.rows("select 1", {})) == 1


async def test_waits_and_slow_statements_are_noted_without_values(
    database: str, new_directory: Callable[[], Path]
) -> None:
    registry = CollectorRegistry()
    settings = Settings(home=new_directory(), database_url=database, slow_query_ms=50)
    care = StatementCare(settings, registry)
    with structlog.testing.capture_logs() as logged:
        async with observed_prepared(settings, care, max_size=1, statement_timeout_ms=5_000) as pool:
            await pool.rows("select pg_sleep(%(long)s), %(who)s::text", {"long": 0.1, "who": "ada"})
            assert pool.get_stats() == {"pool_size": 1, "pool_available": 1, "requests_waiting": 0}
    [line] = [one for one in logged if one["event"] == "slow statement"]
    assert line["statement"] == "select pg_sleep(%(long)s), %(who)s::text"
    assert "ada" not in str(logged)
    assert registry.get_sample_value("eventmill_query_pool_wait_seconds_count") == 1
