"""The windows of all apps, within one bound of rows and memory."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from query_service.live.window import AppWindow

Found = TypeVar("Found")

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most rows and bytes of all windows together."""

    rows: int
    bytes: int


class Windows:
    """Windows by app. Threads take turns at one window; instants are microseconds since 1970."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._windows: dict[str, AppWindow] = {}
        self._turns: dict[str, threading.Lock] = {}
        self.rows = 0
        self.bytes = 0

    def add(self, tables: Mapping[str, pa.Table], now_us: int) -> list[str]:
        """Add events of some apps; those of them that have new ones."""
        changed = []
        for app_id, table in tables.items():
            window = self._windows.setdefault(app_id, AppWindow())
            with self._turns.setdefault(app_id, threading.Lock()):
                if window.add(table, now_us):
                    changed.append(app_id)
        self._bound()
        return changed

    def advance(self, now_us: int) -> None:
        """Let go what is too old, and apps that are left without events."""
        for app_id, window in list(self._windows.items()):
            with self._turns[app_id]:
                window.advance(now_us)
            if not window.rows:
                del self._windows[app_id]
        self._count()

    def clear(self) -> None:
        """Forget everything."""
        self._windows.clear()
        self._count()

    def forget(self, app_id: str) -> None:
        """Forget an app."""
        self._windows.pop(app_id, None)

    def version(self, app_id: str) -> int:
        """Grows with every change of an app's window."""
        window = self._windows.get(app_id)
        return 0 if window is None else window.version

    def start_us(self, app_id: str, now_us: int) -> int:
        """The instant from which on an app's events are held."""
        return self._windows.get(app_id, _NOTHING).start_us(now_us)

    def read(self, app_id: str, ask: Callable[[AppWindow], Found]) -> Found:
        """What `ask` makes of an app's window, which nobody changes meanwhile."""
        window = self._windows.get(app_id)
        if window is None:
            return ask(AppWindow())
        with self._turns[app_id]:
            return ask(window)

    def _bound(self) -> None:
        self._count()
        while self.rows > self.bounds.rows or self.bytes > self.bounds.bytes:
            app_id = max(self._windows, key=lambda one: self._windows[one].bytes, default=None)
            if app_id is None or not self._windows[app_id].minutes:
                return
            with self._turns[app_id]:
                self._windows[app_id].shorten()
            self._count()

    def _count(self) -> None:
        self.rows = sum(window.rows for window in self._windows.values())
        self.bytes = sum(window.bytes for window in self._windows.values())


_NOTHING = AppWindow()
