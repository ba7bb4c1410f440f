"""Secrets that the replicas of a service share: made by the first that needs one, kept in Postgres."""

import secrets
from typing import Any

import psycopg

KEY_BYTES = 32


async def signing_key(connection: psycopg.AsyncConnection[Any], name: str) -> bytes:
    """The secret of that name, 32 random bytes, made where it is missing."""
    await connection.execute(
        "insert into control.signing_key (name, secret) values (%s, %s) on conflict do nothing",
        [name, secrets.token_bytes(KEY_BYTES)],
    )
    cursor = await connection.execute("select secret from control.signing_key where name = %s", [name])
    row = await cursor.fetchone()
    if row is None:
        msg = f"the signing key {name!r} was deleted meanwhile"
        raise psycopg.DataError(msg)
    return bytes(row[0])
