"""The secret with which an app's imports hash client addresses."""

import secrets
from typing import Any

import psycopg

SALT_BYTES = 32


def salt_of_app(connection: psycopg.Connection[Any], app_id: str) -> bytes:
    """The app's salt, made at its first import: the same client is then the same visitor in every file.

    It is deleted with the app. The caller commits. Raises psycopg.errors.ForeignKeyViolation for an unknown app.
    """
    connection.execute(
        "insert into control.import_salt (app_id, salt) values (%s, %s) on conflict do nothing",
        [app_id, secrets.token_bytes(SALT_BYTES)],
    )
    row = connection.execute("select salt from control.import_salt where app_id = %s", [app_id]).fetchone()
    if row is None:
        msg = f"the import salt of {app_id} was deleted meanwhile"
        raise psycopg.DataError(msg)
    return bytes(row[0])
