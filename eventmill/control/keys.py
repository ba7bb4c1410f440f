"""The keys of an app as its administrators see them: listed, made, rotated, revoked; never shown again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from eventmill.control.apps import get_app
from eventmill.control.credentials import PEOPLE, KeyKind, issue_key, parse_key
from eventmill.control.definitions import UnknownDefinitionError
from eventmill.errors import DefinitionError

MAX_KEYS = 100
MAX_NAME = 200
MAX_GRACE = timedelta(days=90)
_COLUMNS = (
    "credential_id as key_id, prefix, kind, name, scopes, allowed_origins, created_at, expires_at, revoked_at,"
    " last_used_at"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; `prefix` is the part of it that may be shown."""

    key_id: UUID
    prefix: str
    kind: KeyKind
    name: str
    scopes: Sequence[str]
    allowed_origins: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and its text, which cannot be had again."""

    found: Key
    key: str


class UnknownKeyError(UnknownDefinitionError):
    """The app has no such key."""


def list_keys(connection: psycopg.Connection[Any], app_id: str) -> list[Key]:
    """The app's keys, those that are over too, the latest first."""
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from control.credential"  # noqa: S608 - our own text, no input
            " join control.credential_app using (credential_id) where app_id = %s order by created_at desc, prefix",
            [app_id],
        ).fetchall()


def get_key(connection: psycopg.Connection[Any], app_id: str, reference: str) -> Key:
    """The app's key of that id or prefix. Raises UnknownKeyError where there is none."""
    for one in list_keys(connection, app_id):
        if reference in {str(one.key_id), one.prefix}:
            return one
    raise UnknownKeyError(f"App {app_id!r} has no key {reference!r}.", f"`eventmill app keys {app_id}` shows all.")


def create_key(
    connection: psycopg.Connection[Any],
    app_id: str,
    kind: object,
    *,
    name: object = "",
    may_see_people: object = False,
    expires_at: datetime | None = None,
    allowed_origins: Sequence[str] | None = None,
) -> NewKey:
    """Make a key of one app. The caller commits. Raises DefinitionError that names the field and the rule."""
    app = get_app(connection, app_id)
    checked = _checked_kind(kind)
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        raise DefinitionError("name", f"a text of at most {MAX_NAME} printable characters")
    if not isinstance(may_see_people, bool) or (may_see_people and checked != "read"):
        raise DefinitionError("people", "true or false; only a read key needs it, and only an admin key has it anyway")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise DefinitionError("expires_at", "an instant to come")
    if sum(one.revoked_at is None for one in list_keys(connection, app_id)) >= MAX_KEYS:
        raise DefinitionError("kind", f"an app has at most {MAX_KEYS} keys; revoke one that nobody needs")
    text = issue_key(
        connection,
        app.org_id,
        checked,
        [app_id],
        expires_at=expires_at,
        allowed_origins=allowed_origins,
        name=name,
        scopes=[PEOPLE] if may_see_people else [],
    )
    return _new(connection, app_id, text)


def rotate(connection: psycopg.Connection[Any], app_id: str, reference: str, grace: timedelta) -> NewKey:
    """Make a key like that one, which keeps working for `grace`. The caller commits.

    Raises UnknownKeyError, and DefinitionError for a key that is over or of several apps.
    """
    if not timedelta() <= grace <= MAX_GRACE:
        raise DefinitionError("grace_seconds", f"0 to {int(MAX_GRACE.total_seconds())}")
    old = get_key(connection, app_id, reference)
    now = datetime.now(UTC)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise DefinitionError("key", "one that is still good; make a new one instead")
    shared = "select count(*) from control.credential_app where credential_id = %s"
    if connection.execute(shared, [old.key_id]).fetchone() != (1,):
        raise DefinitionError("key", "one of a single app; make a new one and revoke this")
    text = issue_key(
        connection,
        get_app(connection, app_id).org_id,
        old.kind,
        [app_id],
        # As long as the old one was good for.
        expires_at=old.expires_at and now + (old.expires_at - old.created_at),
        allowed_origins=old.allowed_origins,
        name=old.name,
        scopes=old.scopes,
    )
    end_after(connection, old.key_id, grace)
    return _new(connection, app_id, text)


def end_after(connection: psycopg.Connection[Any], key_id: UUID, grace: timedelta) -> None:
    """Have a key end after `grace`, at once where that is nothing; never later than it would anyway."""
    if not grace:
        connection.execute("update control.credential set revoked_at = now() where credential_id = %s", [key_id])
        return
    connection.execute(
        "update control.credential set expires_at = least(expires_at, now() + %s) where credential_id = %s",
        [grace, key_id],
    )


def revoke(connection: psycopg.Connection[Any], app_id: str, reference: str) -> Key:
    """Make a key worthless for the app; one of several apps keeps the others. The caller commits.

    Raises UnknownKeyError.
    """
    found = get_key(connection, app_id, reference)
    others = "select from control.credential_app where credential_id = %s and app_id <> %s"
    if connection.execute(others, [found.key_id, app_id]).fetchone() is None:
        if found.revoked_at is None:
            end_after(connection, found.key_id, timedelta())
    else:
        connection.execute(
            "delete from control.credential_app where credential_id = %s and app_id = %s", [found.key_id, app_id]
        )
    return found


def _checked_kind(kind: object) -> KeyKind:
    for one in get_args(KeyKind):
        if kind == one:
            known: KeyKind = one
            return known
    raise DefinitionError("kind", f"one of {', '.join(get_args(KeyKind))}")


def _new(connection: psycopg.Connection[Any], app_id: str, text: str) -> NewKey:
    parsed = parse_key(text)
    if parsed is None:
        raise AssertionError("a key that was just made has a key's form")
    return NewKey(get_key(connection, app_id, parsed.prefix), text)
