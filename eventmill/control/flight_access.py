"""What the Flight service needs in Postgres: a role that reads the `va_*` views and nothing else, and a secret."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from eventmill.errors import EventmillError, NotReadyError

SCHEMA = "flight"
CHANNEL = "eventmill_changed"
SECRET_BYTES = 32
CONNECTIONS = 50
# Beyond it a sort or a join of one process ends with an error instead of filling the disk.
TEMPORARY_FILES = "2GB"
_NAME_BYTES = 63

# Every table that a view of the schema reads, however far below it.
_SOURCES = """
    with recursive beneath (view_name, relation) as (
        select relname, oid from pg_class where relnamespace = to_regnamespace(%(schema)s) and relkind = 'v'
        union
        select beneath.view_name, depends.refobjid
        from beneath
        inner join pg_rewrite as rule on beneath.relation = rule.ev_class
        inner join pg_depend as depends
            on
                depends.classid = 'pg_rewrite'::regclass
                and rule.oid = depends.objid
                and depends.refclassid = 'pg_class'::regclass
                and depends.refobjid <> beneath.relation
    )
    select beneath.view_name, schema.nspname || '.' || relation.relname, exists (
        select 1 from pg_trigger where tgrelid = relation.oid and tgname = 'eventmill_changed'
    )
    from beneath
    inner join pg_class as relation on beneath.relation = relation.oid and relation.relkind in ('r', 'p')
    inner join pg_namespace as schema on relation.relnamespace = schema.oid
"""


@dataclass(frozen=True, slots=True)
class FlightAccess:
    """The role that the service signs in as, and the secret (32 bytes) that all its replicas share."""

    role: str
    secret: bytes

    @property
    def password(self) -> str:
        """The role's password."""
        return self.key("password").hex()

    def key(self, purpose: str) -> bytes:
        """A key (32 bytes) of its own for that purpose."""
        return hmac.digest(self.secret, purpose.encode(), "sha256")

    def setting(self, app_ids: Sequence[str]) -> str:
        """Value of `eventmill.apps` in a transaction that may see these apps (control.flight_apps checks it)."""
        apps = ",".join(app_ids).encode()
        inner = hashlib.sha256(self.secret + apps).digest()
        return f"{apps.decode()}:{hashlib.sha256(self.secret + inner).hexdigest()}"


def read(connection: psycopg.Connection) -> FlightAccess:
    """What `prepare` made. Raises NotReadyError before."""
    row = connection.execute("select role_name, secret from control.flight_access").fetchone()
    if row is None:
        raise NotReadyError("No role for Arrow Flight was made.", "`eventmill migrate` makes it, and says why not.")
    return FlightAccess(row[0], bytes(row[1]))


def prepare(connection: psycopg.Connection) -> None:
    """Make the secret and the role where they are missing, let it read the views, and have their tables tell changes.

    Run again after the marts are built, it changes nothing. Raises EventmillError where the database's own role may not
    create roles.
    """
    with connection.transaction():
        connection.execute(
            "insert into control.flight_access (role_name, secret)"
            " select left('eventmill_flight_' || current_database(), %s), %s on conflict do nothing",
            [_NAME_BYTES, secrets.token_bytes(SECRET_BYTES)],
        )
        access = read(connection)
        _make_role(connection, access)
        _let_read(connection, access.role)
        for table in sorted(
            {source for _, source, tells in sources(connection) if not tells} | _untold_apps(connection)
        ):
            _have_tell(connection, table)


def sources(connection: psycopg.Connection) -> list[tuple[str, str, bool]]:
    """`(view, table, whether its changes are told)` for each table that a view of the schema reads."""
    return connection.execute(_SOURCES, {"schema": SCHEMA}).fetchall()


def _make_role(connection: psycopg.Connection, access: FlightAccess) -> None:
    role = sql.Identifier(access.role)
    verifier = connection.pgconn.encrypt_password(access.password.encode(), access.role.encode(), b"scram-sha-256")
    options = sql.SQL("login connection limit {} password {}").format(CONNECTIONS, sql.Literal(verifier.decode()))
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [access.role]).fetchone()
    try:
        with connection.transaction():
            connection.execute(sql.SQL("alter role {} " if exists else "create role {} ").format(role) + options)
    except psycopg.errors.InsufficientPrivilege as error:
        raise EventmillError(
            "The role of EVENTMILL_DATABASE_URL may not create roles.", "An administrator: `alter role … createrole`."
        ) from error
    try:
        with connection.transaction():
            limit = sql.SQL("alter role {} set temp_file_limit = {}").format(role, sql.Literal(TEMPORARY_FILES))
            connection.execute(limit)
    except psycopg.errors.InsufficientPrivilege:
        # A superuser's to set: the embedded server has the same limit for everybody.
        return


def _let_read(connection: psycopg.Connection, role: str) -> None:
    for statement in (
        "grant usage on schema flight to {}",
        "grant select on all tables in schema flight to {}",
        "alter default privileges in schema flight grant select on tables to {}",
        "grant execute on function control.visible_apps() to {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _untold_apps(connection: psycopg.Connection) -> set[str]:
    """The table of apps, which the views reach through a function that PostgreSQL's dependencies do not show."""
    query = "select 1 from pg_trigger where tgrelid = 'control.app'::regclass and tgname = 'eventmill_changed'"
    return set() if connection.execute(query).fetchone() else {"control.app"}


def _have_tell(connection: psycopg.Connection, table: str) -> None:
    connection.execute(
        sql.SQL(
            "create trigger eventmill_changed after insert or update or delete or truncate on {}"
            " for each statement execute function control.tell_changed()"
        ).format(sql.Identifier(*table.split(".")))
    )
