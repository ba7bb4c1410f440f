"""Brings Postgres' schemas up to this program's version: numbered SQL files, each in a transaction of its own."""

from importlib.resources import files

import psycopg
from psycopg import sql

from eventmill.errors import VersionError

COMPONENT = "postgres"
# Any constant will do: it only keeps two migrators apart.
_LOCK_KEY = 0x65_76_6D_69


def migrations() -> dict[int, tuple[str, str]]:
    """Version → (file name, SQL text), ascending."""
    folder = files("eventmill.control") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {int(name[:4]): (name, (folder / name).read_text(encoding="utf-8")) for name in names}


def current_version(connection: psycopg.Connection) -> int:
    """Version of the schemas in the database; 0 where nothing has been migrated yet."""
    exists = connection.execute("select to_regclass('control.schema_versions') is not null").fetchone()
    if exists is None or not exists[0]:
        return 0
    row = connection.execute("select version from control.schema_versions where component = %s", [COMPONENT]).fetchone()
    return 0 if row is None else int(row[0])


def migrate(connection: psycopg.Connection) -> list[str]:
    """Apply what is missing, in order, and return the names of the files applied.

    A migration that was cut off has changed nothing and runs again. Raises VersionError where the database is newer
    than this program.
    """
    known = migrations()
    connection.commit()
    with connection.transaction():
        connection.execute("select pg_advisory_lock(%s)", [_LOCK_KEY])
        connection.execute("create schema if not exists control")
        connection.execute(
            "create table if not exists control.schema_versions (component text primary key, version integer not null,"
            " details text not null default '', updated_at timestamptz not null default now())"
        )
    try:
        version = current_version(connection)
        connection.commit()  # the read opened a transaction: each migration would be only a savepoint in it
        _refuse_downgrade(version, max(known))
        return [_apply(connection, number, *known[number]) for number in known if number > version]
    finally:
        connection.rollback()
        connection.execute("select pg_advisory_unlock(%s)", [_LOCK_KEY])
        connection.commit()


def _refuse_downgrade(version: int, newest: int) -> None:
    if version > newest:
        raise VersionError(
            f"The database's schema is at version {version}; this program knows versions up to {newest}.",
            "Start the newer eventmill again, or restore a backup that was made with this version.",
        )


def _apply(connection: psycopg.Connection, number: int, name: str, text: str) -> str:
    with connection.transaction():
        connection.execute(sql.SQL(text))  # our own file, not input
        set_version(connection, COMPONENT, number, name)
    return name


def set_version(connection: psycopg.Connection, component: str, version: int, details: str = "") -> None:
    """Note that `component` is at `version` now."""
    connection.execute(
        "insert into control.schema_versions (component, version, details) values (%s, %s, %s)"
        " on conflict (component) do update set version = excluded.version, details = excluded.details,"
        " updated_at = now()",
        [component, version, details],
    )
