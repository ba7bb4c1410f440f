"""Signs in to Postgres as the role that reads the `va_*` views and nothing else."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import adbc_driver_postgresql
import psycopg
from adbc_driver_manager import AdbcConnection, AdbcDatabase, AdbcStatement
from adbc_driver_manager import Error as AdbcError
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from eventmill import warehouse
from eventmill.control import flight_access
from eventmill.control.flight_access import FlightAccess
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from query_service.flight import allowed
from query_service.flight.arrow_types import ColumnType
from query_service.flight.limits import BATCH_BYTES, Limits

DESCRIBERS = 4
IDLE_CONNECTIONS = 4
VIEWS_SECONDS = 60.0
_COLUMNS = """
    select relation.relname, attribute.attname, attribute.atttypid, attribute.atttypmod
    from pg_class as relation
    inner join pg_attribute as attribute on relation.oid = attribute.attrelid
    where relation.relnamespace = to_regnamespace(%s) and relation.relkind = 'v' and attribute.attnum > 0
    order by relation.relname, attribute.attnum
"""

Columns = Mapping[str, list[ColumnType]]


class FlightPostgres:
    """Connections of that role; opened when they are first needed, since Postgres may come later than we do."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings, self._limits = settings, limits
        self._lock = threading.Lock()
        self._access: FlightAccess | None = None
        self._pool: ConnectionPool | None = None
        self._idle: list[AdbcConnection] = []
        self._views: tuple[float, Columns] | None = None
        self._database: AdbcDatabase | None = None

    def access(self) -> FlightAccess:
        """Role and secret. Raises NotReadyError where Postgres does not answer or nothing was prepared."""
        if self._access is None:
            with warehouse.connect(self._settings) as connection:
                self._access = flight_access.read(connection)
        return self._access

    def views(self) -> Columns:
        """Every view with its columns; at most a minute old."""
        if self._views is None or time.monotonic() - self._views[0] > VIEWS_SECONDS:
            with self._describer() as connection:
                rows = connection.execute(_COLUMNS, [allowed.SCHEMA]).fetchall()
            found: dict[str, list[ColumnType]] = {}
            for view, *column in rows:
                found.setdefault(view, []).append(ColumnType(*column))
            # The same object while nothing changed: what was derived from it still holds.
            is_same = self._views is not None and self._views[1] == found
            self._views = (time.monotonic(), self._views[1] if self._views and is_same else found)
        return self._views[1]

    def describe(self, sql: str) -> tuple[list[ColumnType], list[int]]:
        """Columns of a statement's result and types of its parameters, without running it; psycopg.Error as usual."""
        with self._describer() as connection:
            described = _prepared(connection.pgconn, sql.encode())
        columns = [
            ColumnType((described.fname(at) or b"").decode(), described.ftype(at), described.fmod(at))
            for at in range(described.nfields)
        ]
        return columns, [described.param_type(at) for at in range(described.nparams)]

    @contextmanager
    def connection(self, app_ids: tuple[str, ...]) -> Iterator[AdbcConnection]:
        """A transaction, read only, that sees these apps. A connection that failed is not used again."""
        setting = self.access().setting(app_ids)
        connection = self._begin()
        try:
            _execute(connection, f"set local eventmill.apps = '{setting}'")
            yield connection
            _execute(connection, "rollback")
        except BaseException:
            _close(connection)
            raise
        with self._lock:
            keep = len(self._idle) < IDLE_CONNECTIONS
            if keep:
                self._idle.append(connection)
        if not keep:
            _close(connection)

    def close(self) -> None:
        """End every connection that nobody uses."""
        with self._lock:
            idle, self._idle, pool, self._pool = self._idle, [], self._pool, None
        for connection in idle:
            _close(connection)
        if pool is not None:
            pool.close()

    def _begin(self) -> AdbcConnection:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or AdbcConnection(self._opened_database())
            try:
                _execute(connection, "begin read only")
            except AdbcError:
                _close(connection)
                if kept is None:
                    raise
                # It was lost while nobody used it, as when PostgreSQL was restarted.
            else:
                return connection

    def _opened_database(self) -> AdbcDatabase:
        address = self._address()
        with self._lock:
            if self._database is None:
                self._database = adbc_driver_postgresql.connect(address)
            return self._database

    @contextmanager
    def _describer(self) -> Iterator[psycopg.Connection]:
        address = self._address()
        with self._lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    address,
                    min_size=0,
                    max_size=DESCRIBERS,
                    open=True,
                    timeout=5,
                    check=ConnectionPool.check_connection,
                    kwargs={"autocommit": True},
                )
        try:
            with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                raise NotReadyError(f"PostgreSQL does not answer the role of Flight: {error}") from error
            raise

    def _address(self) -> str:
        access = self.access()
        return make_conninfo(
            self._settings.database_address,
            user=access.role,
            password=access.password,
            application_name="eventmill flight",
            connect_timeout=5,
            options=" ".join(f"-c {name}={value}" for name, value in self._session().items()),
        )

    def _session(self) -> dict[str, str | int]:
        return {
            "timezone": "UTC",
            "search_path": "pg_catalog",
            "default_transaction_read_only": "on",
            "standard_conforming_strings": "on",
            "statement_timeout": int(self._limits.total_seconds * 1000),
            "idle_in_transaction_session_timeout": int(self._limits.total_seconds * 1000),
            "lock_timeout": 5_000,
            "work_mem": "16MB",
            # One core for one query, whatever it is.
            "max_parallel_workers_per_gather": 0,
            "jit": "off",
        }


def _prepared(connection: pq.abc.PGconn, sql: bytes) -> pq.abc.PGresult:
    prepared = connection.prepare(b"", sql)
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(prepared)
    return connection.describe_prepared(b"")


def _execute(connection: AdbcConnection, sql: str) -> None:
    with AdbcStatement(connection) as statement:
        statement.set_sql_query(sql)
        statement.execute_update()


def open_statement(connection: AdbcConnection, sql: str) -> AdbcStatement:
    """A statement whose result comes in batches of some 2 MB."""
    statement = AdbcStatement(connection)
    statement.set_options(**{adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)})
    statement.set_sql_query(sql)
    return statement


def _close(connection: AdbcConnection) -> None:
    try:
        connection.close()
    except AdbcError:
        # A statement that was cancelled may still hold it; libpq ends the session when the object goes.
        return
