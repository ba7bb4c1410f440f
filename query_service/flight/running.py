"""Queries that run: how many at once, for how long, and for whom they are still wanted."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from query_service.flight.limits import Limits
from query_service.flight.refusals import Busy, CutOff

WATCH_SECONDS = 0.1

logger = structlog.get_logger(__name__)


class Run:
    """One query. `cancel` ends it in PostgreSQL; `is_gone` tells that its client has left."""

    def __init__(self, limits: Limits, cancel: Callable[[], None], is_gone: Callable[[], bool]) -> None:
        self._limits, self._cancel, self._is_gone = limits, cancel, is_gone
        self._waiting_since: float | None = None
        self._waited = 0.0
        self.ended_because: str | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around each wait for PostgreSQL, whose time alone is limited: a slow client may take longer.

        Raises CutOff in place of whatever error came of the end that `check` made.
        """
        self._waiting_since = time.monotonic()
        try:
            yield
        except Exception:
            if self.ended_because is not None:
                raise CutOff(self.ended_because) from None
            raise
        finally:
            self._waited += time.monotonic() - self._waiting_since
            self._waiting_since = None
        if self.ended_because is not None:
            raise CutOff(self.ended_because)

    def check(self) -> None:
        """End the query where it has taken its time, or its client has left."""
        since = self._waiting_since
        waited = self._waited + (0.0 if since is None else time.monotonic() - since)
        if self._is_gone():
            self.end("The client has left.")
        elif waited > self._limits.seconds:
            self.end(f"The query was cut off: it may take {self._limits.seconds:g} s of the database; ask for less.")

    def end(self, because: str) -> None:
        """Cancel it, once."""
        if self.ended_because is None:
            self.ended_because = because
            self._cancel()


class Runs:
    """All queries of this process, and the thread that looks after them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._runs: set[Run] = set()
        self._each: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look, name="flight-watch", daemon=True)
        self._watch.start()

    @contextmanager
    def place(self, subject: str) -> Iterator[None]:
        """A place among those that run at once, for this credential. Raises Busy where none gets free in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_place(subject), self._limits.wait_seconds):
                raise Busy(
                    f"{self._limits.running_each} queries of a credential and {self._limits.running} of all run at"
                    " once, and none ended in time; try again."
                )
            self._each[subject] += 1
        try:
            yield
        finally:
            with self._changed:
                self._each[subject] -= 1
                if not self._each[subject]:
                    del self._each[subject]
                self._changed.notify_all()

    @contextmanager
    def watched(self, run: Run) -> Iterator[None]:
        """Look after this query meanwhile."""
        with self._changed:
            self._runs.add(run)
        try:
            yield
        finally:
            with self._changed:
                self._runs.discard(run)

    def stop(self) -> None:
        """End every query, and look after none any more."""
        self._stopping.set()
        self._watch.join()
        for run in self._every():
            run.end("The service is stopping; try again.")

    def _has_place(self, subject: str) -> bool:
        return self._each.total() < self._limits.running and self._each[subject] < self._limits.running_each

    def _every(self) -> list[Run]:
        with self._changed:
            return list(self._runs)

    def _look(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            for run in self._every():
                try:
                    run.check()
                except Exception as error:  # noqa: BLE001 - one that cannot be cancelled must not keep the others alive
                    logger.warning("query could not be cancelled", error=type(error).__name__)
