"""Ids whose future events are left out, as salted hashes; and the salt of this installation."""

import secrets
from collections.abc import Sequence
from typing import Any

import psycopg

from eventmill.contracts.suppression import digest

_SALT_BYTES = 32


def salt_of(connection: psycopg.Connection[Any]) -> bytes:
    """The installation's salt, made where it is missing."""
    connection.execute(
        "insert into control.erasure_salt (salt) values (%s) on conflict do nothing", [secrets.token_bytes(_SALT_BYTES)]
    )
    row = connection.execute("select salt from control.erasure_salt").fetchone()
    if row is None:
        msg = "the salt vanished"
        raise RuntimeError(msg)
    return bytes(row[0])


def suppress(connection: psycopg.Connection[Any], app_id: str, actors: Sequence[str], salt: bytes) -> int:
    """Leave out future events of these actors (`u…`, `a…`); returns how many were not left out before."""
    before = _count(connection, app_id)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into control.suppression (app_id, id_sha256) values (%s, %s) on conflict do nothing",
            [(app_id, digest(salt, actor)) for actor in actors],
        )
    return _count(connection, app_id) - before


def _count(connection: psycopg.Connection[Any], app_id: str) -> int:
    row = connection.execute("select count(*) from control.suppression where app_id = %s", [app_id]).fetchone()
    return 0 if row is None else int(row[0])
