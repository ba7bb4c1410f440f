"""The query service's connections to Postgres: waits and statements are measured, slow ones named without values."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import structlog
from prometheus_client import CollectorRegistry

from eventmill.settings import Settings
from query_service.observing import StatementCare, observed_pool

pytestmark = pytest.mark.integration


async def test_a_slow_statement_is_logged_without_its_values(database: str, new_directory: Callable[[], Path]) -> None:
    registry = CollectorRegistry()
    settings = Settings(home=new_directory(), database_url=database, slow_query_ms=50)
    pool = observed_pool(settings, StatementCare(settings, registry), max_size=1, statement_timeout_ms=5_000)
    await pool.open()
    with structlog.testing.capture_logs() as logged:
        async with pool.connection() as connection:
            await connection.execute("select 1")
            await connection.execute("select pg_sleep(%(long)s), %(who)s::text", {"long": 0.1, "who": "ada"})
    await pool.close()
    [line] = [one for one in logged if one["event"] == "slow statement"]
    assert line["statement"] == "select pg_sleep(%(long)s), %(who)s::text"
    assert line["milliseconds"] >= 100
    assert "ada" not in str(logged)
    assert registry.get_sample_value("eventmill_query_slow_statements_total") == 1
    assert registry.get_sample_value("eventmill_query_pool_wait_seconds_count") == 1


async def test_a_statement_ends_at_its_limit(database: str, new_directory: Callable[[], Path]) -> None:
    settings = Settings(home=new_directory(), database_url=database)
    care = StatementCare(settings, CollectorRegistry())
    pool = observed_pool(settings, care, max_size=1, statement_timeout_ms=100)
    await pool.open()
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            await connection.execute("select pg_sleep(5)")
    await pool.close()
