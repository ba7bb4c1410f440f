"""Whole results that are kept while nothing changed."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import pyarrow as pa

from query_service.flight.limits import Limits


@dataclass(frozen=True, slots=True)
class _Entry:
    version: Hashable
    table: pa.Table
    kept_until: float


class ResultCache:
    """Results by question; each holds for one version of what it was read from, and for 60 s at most.

    The least recently used go first when there are more than `cached_bytes`.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._bytes = 0

    def find(self, key: Hashable, version: Hashable) -> pa.Table | None:
        """The result of that question at that version, None without one."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry.version != version or entry.kept_until <= self._clock():
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return entry.table

    def keep(self, key: Hashable, version: Hashable, table: pa.Table) -> None:
        """Keep it, unless it is too large."""
        if table.nbytes > self._limits.cached_result_bytes:
            return
        with self._lock:
            if key in self._entries:
                self._drop(key)
            self._entries[key] = _Entry(version, table, self._clock() + self._limits.cached_seconds)
            self._bytes += table.nbytes
            while self._bytes > self._limits.cached_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        self._bytes -= self._entries.pop(key).table.nbytes
