"""API keys: 256 random bits, shown once; the database holds a prefix that finds a key and a digest that proves it."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg

from eventmill.contracts.decode import AppRules
from eventmill.control.origins import ANY_ORIGIN, checked_origins
from eventmill.control.rules import RULE_COLUMNS, rules_of

KeyKind = Literal["write", "read", "admin"]
PEOPLE = "people"
SCOPES = (PEOPLE,)

_LETTERS: dict[KeyKind, str] = {"write": "w", "read": "r", "admin": "a"}
_KIND_OF = {letter: kind for kind, letter in _LETTERS.items()}
_PREFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 43

_OWN_COLUMNS = 8  # those of the credential; the app's rules follow
_LOOKUP = f"""
    select c.credential_id::text, c.kind, c.org_id, c.sha256, c.expires_at, c.revoked_at, c.allowed_origins,
        c.scopes, {RULE_COLUMNS}
    from control.credential c
    join control.credential_app ca using (credential_id)
    join control.app a on a.app_id = ca.app_id and a.deleted_at is null
    where c.prefix = %s
    order by a.app_id
"""  # noqa: S608 - our own text, no input


@dataclass(frozen=True, slots=True)
class Credential:
    """What a key may do: its kind, and the rules of the apps of one organisation that it covers (at least one).

    `allowed_origins` are the web origins whose pages may use it; `*` is any, none is no page of another origin.
    `prefix` names it to people; `scopes` are what it may beyond its kind.
    """

    credential_id: str
    kind: KeyKind
    org_id: str
    apps: Mapping[str, AppRules]
    expires_at: datetime | None = None
    allowed_origins: tuple[str, ...] = ()
    prefix: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def app_ids(self) -> tuple[str, ...]:
        """The apps that the key covers, ascending."""
        return tuple(self.apps)

    @property
    def may_see_people(self) -> bool:
        """Whether it shows single persons: an admin key, and a read key with the scope `people`."""
        return self.kind == "admin" or (self.kind == "read" and PEOPLE in self.scopes)

    def is_expired(self, now: datetime | None = None) -> bool:
        """Whether the key's time is over at `now` (UTC)."""
        return self.expires_at is not None and self.expires_at <= (now or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A text of a key's form; nothing says yet that it exists."""

    kind: KeyKind
    prefix: str
    sha256: bytes


def parse_key(key: str) -> ParsedKey | None:
    """Take `em_<w|r|a>_<prefix>_<secret>` apart; None for any other text."""
    parts = key.split("_", 3)
    if len(parts) != 4 or parts[0] != "em" or not key.isascii():
        return None
    kind = _KIND_OF.get(parts[1])
    # Anything else, a NUL byte say, would be an error in Postgres instead of an unknown key.
    if kind is None or len(parts[2]) != _PREFIX_LENGTH or not parts[2].isalnum() or len(parts[3]) != _SECRET_LENGTH:
        return None
    return ParsedKey(kind, parts[2], digest(key))


def digest(key: str) -> bytes:
    """SHA-256 of a whole key. The key has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).digest()


def issue_key(
    connection: psycopg.Connection[Any],
    org_id: str,
    kind: KeyKind,
    app_ids: Iterable[str],
    *,
    expires_at: datetime | None = None,
    allowed_origins: Sequence[str] | None = None,
    name: str = "",
    scopes: Sequence[str] = (),
) -> str:
    """Create a credential for apps of one organisation and return its key, which cannot be had again.

    Without `allowed_origins` a write key may be used by pages of any origin, and others by none. The caller commits.
    Raises ValueError for no app, or an app that is not the organisation's; EventmillError for what is no origin.
    """
    wanted = sorted(set(app_ids))
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(_PREFIX_LENGTH))
    key = f"em_{_LETTERS[kind]}_{prefix}_{secrets.token_urlsafe(32)}"
    origins = default_origins(kind) if allowed_origins is None else checked_origins(allowed_origins)
    with connection.transaction():
        row = connection.execute(
            "insert into control.credential (org_id, kind, prefix, sha256, expires_at, allowed_origins, name, scopes)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s) returning credential_id",
            [org_id, kind, prefix, digest(key), expires_at, origins, name, list(scopes)],
        ).fetchone()
        covered = connection.execute(
            "insert into control.credential_app (credential_id, app_id)"
            " select %s, app_id from control.app where app_id = any(%s) and org_id = %s",
            [row and row[0], wanted, org_id],
        ).rowcount
        if not wanted or covered != len(wanted):
            msg = f"a key covers at least one app, all of organisation {org_id!r}; got {wanted}"
            raise ValueError(msg)
    return key


def default_origins(kind: KeyKind) -> list[str]:
    """Origins of a new key that names none: a write key stands in a page anyway."""
    return [ANY_ORIGIN] if kind == "write" else []


def authenticate(connection: psycopg.Connection[Any], key: str) -> Credential | None:
    """The credential behind a key; None where it is unknown, expired, revoked, or all its apps are deleted."""
    parsed = parse_key(key)
    return None if parsed is None else _verify(parsed, connection.execute(_LOOKUP, [parsed.prefix]).fetchall())


async def authenticate_async(connection: psycopg.AsyncConnection[Any], key: str) -> Credential | None:
    """`authenticate` for asynchronous services."""
    parsed = parse_key(key)
    if parsed is None:
        return None
    cursor = await connection.execute(_LOOKUP, [parsed.prefix])
    return _verify(parsed, await cursor.fetchall())


def _verify(parsed: ParsedKey, rows: Sequence[tuple[Any, ...]]) -> Credential | None:
    if not rows:
        return None
    credential_id, kind, org_id, sha256, expires_at, revoked_at, origins, scopes = rows[0][:_OWN_COLUMNS]
    if not hmac.compare_digest(bytes(sha256), parsed.sha256) or revoked_at is not None:
        return None
    rules = (rules_of(*row[_OWN_COLUMNS:]) for row in rows)
    apps = {one.app_id: one for one in rules}
    credential = Credential(credential_id, kind, org_id, apps, expires_at, tuple(origins), parsed.prefix, tuple(scopes))
    return None if credential.is_expired() else credential


def revoke_keys(
    connection: psycopg.Connection[Any], app_id: str, kind: KeyKind, grace: timedelta = timedelta()
) -> None:
    """Make the app's keys of that kind worthless for it, after `grace`. The caller commits.

    A key of several apps keeps the others, and loses this one at once.
    """
    with connection.transaction():
        connection.execute(
            "delete from control.credential_app ca using control.credential c"
            " where c.credential_id = ca.credential_id and c.kind = %s and ca.app_id = %s"
            " and exists (select from control.credential_app other"
            "             where other.credential_id = ca.credential_id and other.app_id <> ca.app_id)",
            [kind, app_id],
        )
        connection.execute(
            "update control.credential c set expires_at = least(expires_at, now() + %(grace)s),"
            " revoked_at = case when %(grace)s = interval '0' then now() end from control.credential_app ca"
            " where ca.credential_id = c.credential_id and ca.app_id = %(app)s and c.kind = %(kind)s"
            " and c.revoked_at is null",
            {"app": app_id, "kind": kind, "grace": grace},
        )


async def note_use(connection: psycopg.AsyncConnection[Any], used_at: Mapping[str, datetime]) -> None:
    """Store when credentials (by id) were last used: called now and then for many, never once a request."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "update control.credential set last_used_at = greatest(last_used_at, %s) where credential_id = %s",
            [(at, credential_id) for credential_id, at in used_at.items()],
        )
