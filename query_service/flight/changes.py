"""Which tables have changed since an answer was kept."""

import contextlib
import threading
from collections import Counter
from collections.abc import Collection

import psycopg
import structlog

from eventmill import warehouse
from eventmill.control import flight_access
from eventmill.errors import NotReadyError
from eventmill.settings import Settings

DRAIN_SECONDS = 5.0
# dbt made views anew.
_MARTS = "marts"
# Which apps exist, and so are visible, every view asks.
_ALWAYS = frozenset({"control.app", _MARTS})

logger = structlog.get_logger(__name__)


class Changes:
    """Counts the transactions that changed each table below the views, as PostgreSQL tells them (control.tell_changed).

    Without that news nothing is known, and nothing may be kept.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._session = 0
        self._counts: Counter[str] = Counter()
        self._sources: dict[str, frozenset[str]] = {}
        self._sources_of = -1
        self._stopping = threading.Event()
        # Somebody has to take the news even while nobody asks: PostgreSQL keeps them for us.
        self._drain = threading.Thread(target=self._keep_draining, name="flight-changes", daemon=True)
        self._drain.start()

    def version(self, views: Collection[str]) -> tuple[int, ...] | None:
        """What differs once a committed change could show in these views; None where that cannot be told."""
        with self._lock:
            try:
                self._hear()
            except (psycopg.Error, NotReadyError, OSError) as error:
                logger.warning("changes are not heard", error=str(error).partition("\n")[0])
                self._forget()
                return None
            if any(view not in self._sources for view in views):
                return None
            tables = sorted(_ALWAYS.union(*(self._sources[view] for view in views)))
            return (self._session, *(self._counts[table] for table in tables))

    def stop(self) -> None:
        """Hear nothing any more."""
        self._stopping.set()
        self._drain.join()
        with self._lock:
            self._forget()

    def _hear(self) -> None:
        """Take the news of every transaction that was committed before: the answer comes after them."""
        if self._connection is None:
            self._connection = warehouse.connect(self._settings, autocommit=True)
            self._connection.add_notify_handler(self._count)
            self._connection.execute(f"listen {flight_access.CHANNEL}")
            self._session, self._sources_of = self._session + 1, -1
        self._connection.execute("select 1")
        if self._sources_of != self._counts[_MARTS]:
            self._sources_of = self._counts[_MARTS]
            self._sources = _told_sources(self._connection)

    def _count(self, notice: psycopg.Notify) -> None:
        self._counts[notice.payload] += 1

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _keep_draining(self) -> None:
        while not self._stopping.wait(DRAIN_SECONDS):
            if self._connection is not None:
                self.version(())


def _told_sources(connection: psycopg.Connection) -> dict[str, frozenset[str]]:
    """The tables of each view; without the views of which some table tells nothing."""
    found: dict[str, set[str]] = {}
    silent: set[str] = set()
    for view, table, is_told in flight_access.sources(connection):
        found.setdefault(view, set()).add(table)
        if not is_told:
            silent.add(view)
    return {view: frozenset(tables) for view, tables in found.items() if view not in silent}
