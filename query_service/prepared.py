"""Statements that are asked often: prepared once a connection, planned once, and sent by asyncpg.

The rest of eventmill speaks psycopg. A question to the rollups takes Postgres less time than psycopg takes to send it
(docs/decisions/0029), so these statements, written with psycopg's names for values, go through asyncpg. What goes
wrong is raised as psycopg would.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
import psycopg
from prometheus_client import Histogram
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

_NAME = re.compile(r"%\((\w+)\)s")
# How long a statement waits for a connection, and a connection for Postgres.
_PATIENCE_SECONDS = 5.0
# What asyncpg reads in an address; it would hand anything else to Postgres as a setting.
_KNOWN = frozenset({"sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "passfile"})
_IN_URL = frozenset({"host", "port", "user", "password", "dbname"})
# What a connection says that Postgres has closed.
_GONE = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, OSError)


class PreparedPool:
    """`open`, ask for `rows`, `close`. Connections are made when they are first needed, at most `max_size`.

    `observe` hears each statement with its seconds, `waits` how long each waited for a connection.
    """

    def __init__(
        self,
        address: str,
        *,
        max_size: int,
        statement_timeout_ms: int,
        observe: Callable[[str, float], None] = lambda _text, _seconds: None,
        waits: Histogram | None = None,
    ) -> None:
        self._address, self._max_size = _understood(address), max_size
        self._settings = {
            "application_name": "eventmill",
            "timezone": "UTC",
            "statement_timeout": str(statement_timeout_ms),
            # Left alone, PostgreSQL plans a statement that is given a list anew each time, and that takes longer than
            # reading its rows.
            "plan_cache_mode": "force_generic_plan",
        }
        self._observe, self._waits = observe, waits
        # A place for each connection; None is one that is to be made. The one that was used last is used first.
        self._free: asyncio.LifoQueue[asyncpg.Connection | None] | None = None
        self._made: set[asyncpg.Connection] = set()
        self._waiting = 0

    async def __aenter__(self) -> Self:
        """`open`."""
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """`close`."""
        await self.close()

    async def open(self) -> None:
        """Be ready; Postgres need not be."""
        self._free = asyncio.LifoQueue()
        for _ in range(self._max_size):
            self._free.put_nowait(None)

    async def close(self) -> None:
        """Close every connection; statements that run are cut."""
        self._free = None
        for connection in self._made:
            connection.terminate()
        self._made.clear()

    def get_stats(self) -> dict[str, int]:
        """As the pools of psycopg count: connections, those that do nothing, and statements that wait for one."""
        if self._free is None:
            return {}
        size = len(self._made)
        busy = self._max_size - self._free.qsize()
        return {"pool_size": size, "pool_available": max(0, size - busy), "requests_waiting": self._waiting}

    async def rows(self, text: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows of one statement, which names its values as `%(name)s`.

        Raises psycopg.Error: OperationalError where Postgres does not answer, PoolTimeout where all connections are
        busy for 5 s, QueryCanceled beyond the limit of time.
        """
        numbered, names = numbered_of(text)
        arguments = [values[name] for name in names]
        # After a restart of Postgres a connection may fail before it is known to be gone.
        for _ in range(self._max_size + 1):
            connection = await self._acquired()
            started = time.perf_counter()
            try:
                rows: Sequence[Sequence[Any]] = await connection.fetch(numbered, *arguments)
            except _GONE:
                continue
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise _as_psycopg(error) from error
            else:
                return rows
            finally:
                self._observe(text, time.perf_counter() - started)
                self._release(connection)
        raise psycopg.OperationalError("Postgres closes every connection")

    async def _acquired(self) -> asyncpg.Connection:
        if self._free is None:
            raise psycopg.OperationalError("the pool is not open")
        started = time.perf_counter()
        try:
            free = self._free.get_nowait() if not self._free.empty() else await self._awaited(self._free)
            if free is not None and free.is_closed():
                self._made.discard(free)
                free = None
            return free or await self._connected(self._free)
        finally:
            if self._waits is not None:
                self._waits.observe(time.perf_counter() - started)

    async def _awaited(self, places: asyncio.LifoQueue[asyncpg.Connection | None]) -> asyncpg.Connection | None:
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await places.get()
        except TimeoutError as error:
            msg = f"no connection was free for {_PATIENCE_SECONDS:g} s"
            raise PoolTimeout(msg) from error
        finally:
            self._waiting -= 1

    async def _connected(self, places: asyncio.LifoQueue[asyncpg.Connection | None]) -> asyncpg.Connection:
        """A new connection; its place is free again where there is none to be had."""
        try:
            connection = await asyncpg.connect(
                self._address,
                timeout=_PATIENCE_SECONDS,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
                server_settings=self._settings,
            )
        except BaseException as error:
            places.put_nowait(None)
            if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
                raise _as_psycopg(error) from error
            raise
        if self._free is not places:
            connection.terminate()
            raise psycopg.OperationalError("the pool was closed")
        self._made.add(connection)
        return connection

    def _release(self, connection: asyncpg.Connection) -> None:
        """Give its place back. The session is as it was: these statements change nothing in it."""
        if self._free is None:
            return
        if connection.is_closed():
            self._made.discard(connection)
        self._free.put_nowait(None if connection.is_closed() else connection)


@lru_cache(maxsize=512)
def numbered_of(text: str) -> tuple[str, tuple[str, ...]]:
    """The statement with numbers for the names of its values, and the names in that order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _NAME.sub(number, text).replace("%%", "%"), tuple(names)


def _as_psycopg(error: Exception) -> psycopg.Error:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return psycopg.OperationalError(str(error) or type(error).__name__)
    try:
        return psycopg.errors.lookup(state)(str(error))
    except KeyError:
        return psycopg.DatabaseError(str(error))


def _understood(address: str) -> str:
    """The address without what asyncpg does not know, as a URL."""
    if "://" not in address:
        given = conninfo_to_dict(address)
        known = {name: str(value) for name, value in given.items() if name in _KNOWN | _IN_URL}
        return f"postgresql:///?{urlencode(known, quote_via=quote)}"
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name in _KNOWN | _IN_URL]
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))
