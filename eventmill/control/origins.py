"""Web origins whose pages may use a key."""

import re
from collections.abc import Sequence
from typing import Any

import psycopg

from eventmill.errors import EventmillError

ANY_ORIGIN = "*"
MAX_ORIGINS = 50
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,30}://(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_DEFAULT_PORTS = (("http://", ":80"), ("https://", ":443"))


def checked_origins(origins: Sequence[str]) -> list[str]:
    """The origins as browsers write them, each once. Raises EventmillError for a text that is none, or too many."""
    checked = sorted({_checked(origin) for origin in origins})
    if len(checked) > MAX_ORIGINS:
        raise EventmillError(f"allowed_origins: a key has at most {MAX_ORIGINS} of them, got {len(checked)}.")
    return checked


def _checked(origin: str) -> str:
    text = origin.strip().lower().removesuffix("/")
    if text == ANY_ORIGIN:
        return text
    if not _ORIGIN.fullmatch(text):
        raise EventmillError(
            f"allowed_origins: {origin[:100]!r} is no web origin.",
            "An origin is scheme, host and port as in https://www.example.org; * allows any.",
        )
    for scheme, port in _DEFAULT_PORTS:
        if text.startswith(scheme):
            text = text.removesuffix(port)
    return text


def key_origins(connection: psycopg.Connection[Any], app_id: str, kind: str) -> list[str] | None:
    """Origins of the app's valid keys of that kind together; None where it has no such key."""
    rows = connection.execute(
        "select c.allowed_origins from control.credential c join control.credential_app ca using (credential_id)"
        " where ca.app_id = %s and c.kind = %s and c.revoked_at is null",
        [app_id, kind],
    ).fetchall()
    return sorted({origin for (origins,) in rows for origin in origins}) if rows else None


def set_origins(connection: psycopg.Connection[Any], app_id: str, origins: Sequence[str]) -> list[str]:
    """Give the app's valid write keys these origins and return them. The caller commits.

    Raises EventmillError for a text that is no origin, and where the app has no write key.
    """
    checked = checked_origins(origins)
    changed = connection.execute(
        "update control.credential c set allowed_origins = %s from control.credential_app ca"
        " where ca.credential_id = c.credential_id and ca.app_id = %s and c.kind = 'write' and c.revoked_at is null",
        [checked, app_id],
    ).rowcount
    if not changed:
        raise EventmillError(
            f"App {app_id!r} has no write key.", f"`eventmill app rotate-key {app_id} --kind write` makes one."
        )
    return checked
