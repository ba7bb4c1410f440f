"""Daily salts in a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import psycopg
import pytest

from eventmill.control.salts import salt_of

pytestmark = pytest.mark.integration

DAY = date(2026, 3, 1)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


async def test_all_gateways_share_a_days_salt(connection: psycopg.AsyncConnection, database: str) -> None:
    first = await salt_of(connection, DAY)
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        assert await salt_of(other, DAY) == first
    assert len(first) == 32


async def test_yesterdays_salt_is_kept_and_older_ones_are_destroyed(connection: psycopg.AsyncConnection) -> None:
    salts = [await salt_of(connection, DAY + timedelta(days=days)) for days in range(3)]
    assert len(set(salts)) == 3
    cursor = await connection.execute("select salt_date from control.visitor_salt order by salt_date")
    assert await cursor.fetchall() == [(DAY + timedelta(days=1),), (DAY + timedelta(days=2),)]
