"""Queries that run: how many at once, for how long, and for whom they are still wanted."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

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
        if self.ended_because is not None:
            raise CutOff(self.ended_because)
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


class Slots:
    """At most `every` at once, and `each` of one credential."""

    def __init__(self, every: int, each: int) -> None:
        self._every, self._each = every, each
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def slot(self, subject: str, seconds: float, is_over: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """One of them. Raises Busy where none gets free in time; with `is_over`, goes on without waiting."""
        with self._changed:
            if not self._changed.wait_for(lambda: is_over() or self._is_free(subject), seconds):
                raise Busy(
                    f"{self._each} queries of a credential and {self._every} of all run at once, and none ended in"
                    " time; try again."
                )
            self._taken[subject] += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken[subject] -= 1
                if not self._taken[subject]:
                    del self._taken[subject]
                self._changed.notify_all()

    def look_again(self) -> None:
        """Have those that wait ask their `is_over` again."""
        with self._changed:
            self._changed.notify_all()

    def _is_free(self, subject: str) -> bool:
        return self._taken.total() < self._every and self._taken[subject] < self._each


class Runs:
    """All queries of this process, and the thread that looks after them.

    A place is for the whole of a query, and a turn for each wait for PostgreSQL: a client that reads slowly keeps
    nobody from the database.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._places = Slots(limits.open, limits.open_each)
        self._turns = Slots(limits.running, limits.running_each)
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look, name="flight-watch", daemon=True)
        self._watch.start()

    def place(self, subject: str) -> AbstractContextManager[None]:
        """A place of this credential. Raises Busy where none gets free in time."""
        return self._places.slot(subject, self._limits.wait_seconds)

    @contextmanager
    def turn(self, subject: str, run: Run) -> Iterator[None]:
        """Around each wait for PostgreSQL. Raises Busy, and CutOff as `Run.waiting`."""
        with (
            self._turns.slot(subject, self._limits.total_seconds, lambda: run.ended_because is not None),
            run.waiting(),
        ):
            yield

    @contextmanager
    def watched(self, run: Run) -> Iterator[None]:
        """Look after this query meanwhile."""
        with self._lock:
            self._runs.add(run)
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)

    def stop(self) -> None:
        """End every query, and look after none any more."""
        self._stopping.set()
        self._watch.join()
        for run in self._every():
            run.end("The service is stopping; try again.")
        self._turns.look_again()

    def _every(self) -> list[Run]:
        with self._lock:
            return list(self._runs)

    def _look(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            for run in self._every():
                try:
                    run.check()
                except Exception as error:  # noqa: BLE001 - one that cannot be cancelled must not keep the others alive
                    logger.warning("query could not be cancelled", error=type(error).__name__)
            self._turns.look_again()
