"""The daily salt of visitors without cookies: made once a UTC day, shared by all gateways, destroyed a day later."""

import secrets
from datetime import date, timedelta
from typing import Any

import psycopg

SALT_BYTES = 32
KEPT = timedelta(days=1)


async def salt_of(connection: psycopg.AsyncConnection[Any], day: date) -> bytes:
    """The salt of a UTC day, made where it is missing; those before the day before are destroyed."""
    async with connection.transaction():
        await connection.execute(
            "insert into control.visitor_salt (salt_date, salt) values (%s, %s) on conflict do nothing",
            [day, secrets.token_bytes(SALT_BYTES)],
        )
        await connection.execute("delete from control.visitor_salt where salt_date < %s", [day - KEPT])
        cursor = await connection.execute("select salt from control.visitor_salt where salt_date = %s", [day])
        row = await cursor.fetchone()
    if row is None:
        msg = f"the salt of {day} is gone: another gateway's clock is more than a day ahead"
        raise psycopg.DataError(msg)
    return bytes(row[0])
