"""Roles of BI tools in Postgres: they read the schema `marts` and nothing else, of every app or of some."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from eventmill.errors import EventmillError

# Groups that nobody signs in as: READER sees every app, APP_READER those that control.bi_role names for its members.
READER = "bi_reader"
APP_READER = "bi_app_reader"
CONNECTIONS = 20
STATEMENT_SECONDS = 60
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_RESERVED = ("pg_", "eventmill", READER, APP_READER)


@dataclass(frozen=True, slots=True)
class BiRole:
    """A role that a BI tool signs in as; `app_ids` is None where it sees every app."""

    role: str
    app_ids: list[str] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """A role with its password, which is not kept anywhere and cannot be shown again."""

    role: str
    app_ids: list[str] | None
    password: str


def prepare(connection: psycopg.Connection) -> None:
    """Create the groups where they are missing, and let them read the marts, those to come too.

    Raises EventmillError where the database's own role may not create roles.
    """
    for group in (READER, APP_READER):
        with connection.transaction():
            _create_group(connection, group)
            if not _reads_marts(connection, group):
                _let_read_marts(connection, group)


def grant(
    connection: psycopg.Connection, app_ids: Sequence[str] | None, name: str | None = None, password: str | None = None
) -> Granted:
    """Make a role that signs in and sees these apps (None: every app); granted again, it gets a new password.

    Raises EventmillError for an unknown app, a name that is not one or not ours, and where roles may not be created.
    """
    prepare(connection)
    role = name or f"bi_{app_ids[0] if app_ids else 'all'}"
    _check_name(role)
    secret = password or secrets.token_urlsafe(32)
    with connection.transaction():
        for app_id in app_ids or ():
            _check_app(connection, app_id)
        _create_login(connection, role, secret)
        _set_group(connection, role, READER if app_ids is None else APP_READER)
        _note_apps(connection, role, app_ids)
    [granted] = [one for one in list_roles(connection) if one.role == role]
    return Granted(role, granted.app_ids, secret)


def revoke(connection: psycopg.Connection, app_ids: Sequence[str] | None, name: str | None = None) -> str:
    """Take these apps (None: everything) from a role, which goes with its last app; returns the role's name.

    Whoever is signed in as it sees no row of those apps from then on; with the role its sessions end. Raises
    EventmillError where there is no such role of ours.
    """
    role = name or f"bi_{app_ids[0] if app_ids else 'all'}"
    if role not in {one.role for one in list_roles(connection)}:
        raise EventmillError(f"There is no role {role!r} of eventmill's.", "`eventmill bi list` shows them all.")
    with connection.transaction():
        connection.execute(
            "delete from control.bi_role where role_name = %s and (%s or app_id = any(%s))",
            [role, app_ids is None, list(app_ids or ())],
        )
        left = connection.execute("select 1 from control.bi_role where role_name = %s", [role]).fetchone()
        if left is None and _exists(connection, role):
            _end_sessions(connection, role)
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    return role


def _end_sessions(connection: psycopg.Connection, role: str) -> None:
    """Sign the role out: what a session has made for itself, such as a temporary table, would keep the role."""
    # Only a member may.
    connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s and pid <> pg_backend_pid()",
        [role],
    )


def list_roles(connection: psycopg.Connection) -> list[BiRole]:
    """Every role that `grant` made and that still has an app, by name."""
    with connection.cursor(row_factory=class_row(BiRole)) as cursor:
        return cursor.execute(
            "select role_name as role, min(created_at) as created_at, case when bool_and(app_id is not null)"
            " then array_agg(app_id order by app_id) end as app_ids from control.bi_role group by role_name order by 1"
        ).fetchall()


def _check_name(role: str) -> None:
    if not _NAME.fullmatch(role) or role.startswith(_RESERVED):
        raise EventmillError(
            f"--name: {role!r} cannot be a role's name.",
            "1 to 63 of a-z, 0-9, _ and -, the first no digit, and none of PostgreSQL's or eventmill's own.",
        )


def _check_app(connection: psycopg.Connection, app_id: str) -> None:
    query = "select 1 from control.app where app_id = %s and deleted_at is null"
    if connection.execute(query, [app_id]).fetchone() is None:
        raise EventmillError(f"There is no app {app_id!r}.", "`eventmill app list` shows them all.")


def _note_apps(connection: psycopg.Connection, role: str, app_ids: Sequence[str] | None) -> None:
    """Add the apps to those that the role sees already; every app (None) replaces them, and some replace every."""
    connection.execute(
        "delete from control.bi_role where role_name = %s and (app_id is null or %s)", [role, app_ids is None]
    )
    noted: list[str | None] = [None] if app_ids is None else list(app_ids)
    connection.execute(
        "insert into control.bi_role (role_name, app_id) select %s, unnest(%s::text[]) on conflict do nothing",
        [role, noted],
    )


def _create_group(connection: psycopg.Connection, group: str) -> None:
    if _exists(connection, group):
        return
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(group)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # another database of the same server was quicker
    except psycopg.errors.InsufficientPrivilege as error:
        raise EventmillError(
            "The role of EVENTMILL_DATABASE_URL may not create roles.", "An administrator: `alter role … createrole`."
        ) from error


def _reads_marts(connection: psycopg.Connection, group: str) -> bool:
    query = "select has_function_privilege(%s, 'control.visible_apps()', 'execute')"
    row = connection.execute(query, [group]).fetchone()
    return row is not None and bool(row[0])


def _let_read_marts(connection: psycopg.Connection, group: str) -> None:
    for statement in (
        "grant usage on schema marts to {}",
        "grant select on all tables in schema marts to {}",
        "alter default privileges in schema marts grant select on tables to {}",
        "grant execute on function control.visible_apps() to {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(group)))


def _create_login(connection: psycopg.Connection, role: str, password: str) -> None:
    """A role that signs in; the server gets the verifier only, so no log of its statements holds the password."""
    ours = connection.execute("select 1 from control.bi_role where role_name = %s", [role]).fetchone()
    if _exists(connection, role) and not ours:
        raise EventmillError(f"--name: a role {role!r} exists and is not eventmill's.", "Take another name.")
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = "alter" if _exists(connection, role) else "create"
    options = sql.SQL("login connection limit {} password {}").format(sql.Literal(CONNECTIONS), sql.Literal(verifier))
    name = sql.Identifier(role)
    connection.execute(sql.SQL("{} role {} ").format(sql.SQL(verb), name) + options)
    # Manners, not protection: whoever signs in may change these.
    connection.execute(sql.SQL("alter role {} set default_transaction_read_only = on").format(name))
    connection.execute(sql.SQL("alter role {} set statement_timeout = {}").format(name, f"{STATEMENT_SECONDS}s"))
    connection.execute(sql.SQL("alter role {} set search_path = marts").format(name))


def _set_group(connection: psycopg.Connection, role: str, group: str) -> None:
    """Member of this group, and of the other one no longer."""
    other = ({READER, APP_READER} - {group}).pop()
    name = sql.Identifier(role)
    if connection.execute("select pg_has_role(%s, %s, 'member')", [role, other]).fetchone() == (True,):
        connection.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(other), name))
    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), name))


def _exists(connection: psycopg.Connection, role: str) -> bool:
    return connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is not None
