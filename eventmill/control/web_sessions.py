"""Who signed in with a browser, and subjects whose tokens and sign-ins are revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class WebSession:
    """What a sign-in may do, until when."""

    subject: str
    kind: Literal["read", "admin"]
    apps: Sequence[str]
    may_see_people: bool
    expires_at: datetime


def digest(token: str) -> bytes:
    """SHA-256 of a session's token, which has 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


async def begin(connection: psycopg.AsyncConnection[Any], session: WebSession) -> str:
    """Keep a session and return its token, which cannot be had again; sessions that are over are deleted."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await connection.execute("delete from control.web_session where expires_at <= now()")
    await connection.execute(
        "insert into control.web_session (sha256, subject, kind, apps, may_see_people, expires_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        [
            digest(token),
            session.subject,
            session.kind,
            list(session.apps),
            session.may_see_people,
            session.expires_at,
        ],
    )
    return token


async def find(connection: psycopg.AsyncConnection[Any], token: str) -> WebSession | None:
    """The session of a token; None where there is none or it is over."""
    async with connection.cursor(row_factory=class_row(WebSession)) as cursor:
        await cursor.execute(
            "select subject, kind, apps, may_see_people, expires_at from control.web_session"
            " where sha256 = %s and expires_at > now()",
            [digest(token)],
        )
        return await cursor.fetchone()


async def end(connection: psycopg.AsyncConnection[Any], token: str) -> None:
    """Forget a session; none is no error."""
    await connection.execute("delete from control.web_session where sha256 = %s", [digest(token)])


def revoke_subject(connection: psycopg.Connection[Any], subject: str) -> int:
    """Make what a subject (`sub`) was issued before now worthless; how many sessions that ends. The caller commits."""
    connection.execute(
        "insert into control.revoked_subject (subject, issued_before) values (%s, now())"
        " on conflict (subject) do update set issued_before = excluded.issued_before",
        [subject],
    )
    return connection.execute("delete from control.web_session where subject = %s", [f"oidc:{subject}"]).rowcount


async def revoked_subjects(connection: psycopg.AsyncConnection[Any]) -> dict[str, datetime]:
    """Subject → the instant before which its tokens are revoked."""
    cursor = await connection.execute("select subject, issued_before from control.revoked_subject")
    return dict(await cursor.fetchall())
