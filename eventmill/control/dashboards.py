"""Saved dashboards of an app, and links that show one of them."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from eventmill.control.apps import get_app
from eventmill.control.definitions import UnknownDefinitionError
from eventmill.errors import DefinitionError, EventmillError

MAX_DASHBOARDS = 200
MAX_SHARES = 50
MAX_NAME = 200
SHARE_DAYS = 30
MAX_SHARE_DAYS = 366
TOKEN_BYTES = 32
MAX_TOKEN_CHARACTERS = 100
_COLUMNS = "dashboard_id as id, app_id, name, widgets, version, created_at, updated_at"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`widgets` are checked before they are saved; `version` counts the changes."""

    id: UUID
    app_id: str
    name: str
    widgets: Sequence[Mapping[str, Any]]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a dashboard, without its token."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ChangedMeanwhileError(EventmillError):
    """Somebody else has changed the dashboard since it was read."""


def checked_name(name: object) -> str:
    """Raises DefinitionError for what is no name."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise DefinitionError("name", f"a text of 1 to {MAX_NAME} printable characters")
    return name


def list_all(connection: psycopg.Connection[Any], app_id: str) -> list[Dashboard]:
    """The app's dashboards by name."""
    with connection.cursor(row_factory=class_row(Dashboard)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from control.dashboard where app_id = %s order by name, id",  # noqa: S608 - our own text
            [app_id],
        ).fetchall()


def get(connection: psycopg.Connection[Any], app_id: str, dashboard_id: str, *, lock: bool = False) -> Dashboard:
    """One dashboard. Raises UnknownDefinitionError where the app has none of that id."""
    wait = "for update" if lock else ""
    with connection.cursor(row_factory=class_row(Dashboard)) as cursor:
        found = cursor.execute(
            f"select {_COLUMNS} from control.dashboard"  # noqa: S608 - our own text
            f" where app_id = %s and dashboard_id::text = %s {wait}",
            [app_id, possible(dashboard_id)],
        ).fetchone()
    if found is None:
        raise unknown("dashboard", dashboard_id)
    return found


def create(
    connection: psycopg.Connection[Any], app_id: str, name: object, widgets: Sequence[Mapping[str, Any]]
) -> Dashboard:
    """Save a dashboard of checked widgets. The caller commits. Raises DefinitionError, EventmillError."""
    get_app(connection, app_id)
    with connection.cursor(row_factory=class_row(Dashboard)) as cursor:
        found = cursor.execute(
            "insert into control.dashboard (app_id, name, widgets) values (%s, %s, %s)"  # noqa: S608 - our own text
            f" returning {_COLUMNS}",
            [app_id, checked_name(name), Jsonb(widgets)],
        ).fetchone()
    if found is None:
        raise AssertionError("an insert returns its row")
    if len(list_all(connection, app_id)) > MAX_DASHBOARDS:
        raise DefinitionError("dashboard", f"an app has at most {MAX_DASHBOARDS} of them; delete one that nobody needs")
    return found


def update(
    connection: psycopg.Connection[Any],
    app_id: str,
    dashboard_id: str,
    version: int,
    name: object,
    widgets: Sequence[Mapping[str, Any]],
) -> Dashboard:
    """Replace name and widgets, if `version` is still the dashboard's. The caller commits.

    Raises ChangedMeanwhileError where it is not, UnknownDefinitionError, DefinitionError.
    """
    checked = checked_name(name)
    before = get(connection, app_id, dashboard_id, lock=True)
    if before.version != version:
        raise ChangedMeanwhileError("Somebody else has changed the dashboard meanwhile.")
    connection.execute(
        "update control.dashboard set name = %s, widgets = %s, version = version + 1, updated_at = now()"
        " where dashboard_id = %s",
        [checked, Jsonb(widgets), before.id],
    )
    return get(connection, app_id, dashboard_id)


def delete(connection: psycopg.Connection[Any], app_id: str, dashboard_id: str) -> None:
    """Delete a dashboard and its links. The caller commits. Raises UnknownDefinitionError."""
    found = get(connection, app_id, dashboard_id)
    connection.execute("delete from control.dashboard where dashboard_id = %s", [found.id])


def share(connection: psycopg.Connection[Any], app_id: str, dashboard_id: str, days: object) -> tuple[Share, str]:
    """Make a link that shows the dashboard for so many days, and its token, which cannot be had again.

    The caller commits. Raises UnknownDefinitionError, DefinitionError.
    """
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= MAX_SHARE_DAYS:
        raise DefinitionError("expires_in_days", f"a number above 0, at most {MAX_SHARE_DAYS}")
    found = get(connection, app_id, dashboard_id, lock=True)
    if sum(one.revoked_at is None for one in shares(connection, app_id, dashboard_id)) >= MAX_SHARES:
        raise DefinitionError("share", f"a dashboard has at most {MAX_SHARES} links; revoke one that nobody needs")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with connection.cursor(row_factory=class_row(Share)) as cursor:
        made = cursor.execute(
            "insert into control.dashboard_share (dashboard_id, app_id, sha256, expires_at)"
            " values (%s, %s, %s, now() + %s) returning share_id as id, created_at, expires_at, revoked_at",
            [found.id, app_id, digest(token), timedelta(days=days)],
        ).fetchone()
    if made is None:
        raise AssertionError("an insert returns its row")
    return made, token


def shares(connection: psycopg.Connection[Any], app_id: str, dashboard_id: str) -> list[Share]:
    """The links of a dashboard that are not over, the latest first. Raises UnknownDefinitionError."""
    found = get(connection, app_id, dashboard_id)
    with connection.cursor(row_factory=class_row(Share)) as cursor:
        return cursor.execute(
            "select share_id as id, created_at, expires_at, revoked_at from control.dashboard_share"
            " where dashboard_id = %s and expires_at > now() and revoked_at is null order by created_at desc",
            [found.id],
        ).fetchall()


def revoke_share(connection: psycopg.Connection[Any], app_id: str, dashboard_id: str, share_id: str) -> None:
    """Have a link show nothing any more. The caller commits. Raises UnknownDefinitionError."""
    found = get(connection, app_id, dashboard_id)
    changed = connection.execute(
        "update control.dashboard_share set revoked_at = now()"
        " where dashboard_id = %s and share_id::text = %s and revoked_at is null",
        [found.id, possible(share_id)],
    ).rowcount
    if not changed:
        raise unknown("share", share_id)


def shared(connection: psycopg.Connection[Any], token: str) -> Dashboard:
    """The dashboard that a link shows. Raises UnknownDefinitionError where there is none, or it is over."""
    with connection.cursor(row_factory=class_row(Dashboard)) as cursor:
        found = cursor.execute(
            f"select {_COLUMNS} from control.dashboard where dashboard_id = ("  # noqa: S608 - our own text
            "  select share.dashboard_id from control.dashboard_share as share join control.app using (app_id)"
            "  where sha256 = %s and expires_at > now() and revoked_at is null and deleted_at is null)",
            [digest(token[:MAX_TOKEN_CHARACTERS])],
        ).fetchone()
    if found is None:
        raise UnknownDefinitionError("There is no such link, or it is over.")
    return found


def digest(token: str) -> bytes:
    """SHA-256 of a link's token, which has 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def possible(reference: str) -> str:
    """A text that Postgres takes: it refuses NUL, and no id has one."""
    return "" if "\x00" in reference else reference


def unknown(what: str, reference: str) -> UnknownDefinitionError:
    """The same words for what is another app's and for what is not there."""
    return UnknownDefinitionError(f"There is no {what} {reference!r}.")
