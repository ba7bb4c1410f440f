"""The events of one minute, column by column."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from query_service.live.codes import NOT_SET, Numbers
from query_service.live.stitches import Pair

Instants = npt.NDArray[np.int64]
Made = TypeVar("Made")

MINUTE_US = 60_000_000
# Columns of numbers; those of persons share their numbers, and so do sessions, whose ids may be all that is known.
TEXT_COLUMNS = ("event_type", "event_name", "source", "page_url", "country", "device_type")
PERSON_COLUMNS = ("actor", "session")
COLUMNS = (*TEXT_COLUMNS, *PERSON_COLUMNS)
IS_BOT, IS_VIEW, IS_SERVER = 1, 2, 4
_FIRST_ROWS = 64


class Batch(NamedTuple):
    """Rows to add: microseconds since 1970, hashes of ids, marks (IS_…), and a row of numbers per column."""

    times: Instants
    ids: Instants
    marks: npt.NDArray[np.uint8]
    codes: Numbers

    def where(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Batch":
        """Some of the rows."""
        return Batch(self.times[rows], self.ids[rows], self.marks[rows], self.codes[:, rows])


class Spans(NamedTuple):
    """Visitors whose events name no session, each with the first and the last such event of a minute."""

    visitors: Numbers
    first: Instants
    last: Instants


class Minute:
    """A growing table: what was added stays as it is."""

    def __init__(self) -> None:
        self.rows = 0
        self.pairs: set[Pair] = set()
        self._times: Instants = np.empty(_FIRST_ROWS, np.int64)
        self._ids: Instants = np.empty(_FIRST_ROWS, np.int64)
        self._marks: npt.NDArray[np.uint8] = np.empty(_FIRST_ROWS, np.uint8)
        self._codes: Numbers = np.empty((len(COLUMNS), _FIRST_ROWS), np.int32)
        # What was made of all rows, with how many those were.
        self._kept: dict[str, tuple[int, Any]] = {}

    @property
    def bytes(self) -> int:
        """Memory of the columns, what they may still grow into included."""
        return self._times.nbytes + self._ids.nbytes + self._marks.nbytes + self._codes.nbytes + len(self.pairs) * 150

    @property
    def times(self) -> Instants:
        """Event times in microseconds since 1970, in the order of arrival."""
        return self._times[: self.rows]

    @property
    def ids(self) -> Instants:
        """Hashes of the events' ids."""
        return self._ids[: self.rows]

    @property
    def marks(self) -> npt.NDArray[np.uint8]:
        """IS_BOT, IS_VIEW, IS_SERVER."""
        return self._marks[: self.rows]

    def column(self, name: str) -> Numbers:
        """Numbers of one of COLUMNS."""
        return self._codes[COLUMNS.index(name), : self.rows]

    def append(self, batch: Batch) -> None:
        """Add rows of this minute."""
        start, end = self.rows, self.rows + len(batch.times)
        self._reserve(end)
        self._times[start:end] = batch.times
        self._ids[start:end] = batch.ids
        self._marks[start:end] = batch.marks
        self._codes[:, start:end] = batch.codes
        self.rows = end

    def kept(self, name: str, make: Callable[["Minute"], Made]) -> Made:
        """What `make` makes of all rows, once as long as none is added."""
        rows, kept = self._kept.get(name, (-1, None))
        made: Made = make(self) if rows != self.rows else kept
        self._kept[name] = (self.rows, made)
        return made

    def spans(self) -> Spans:
        """People whose events here name no session."""
        return self.kept(
            "spans", lambda one: spans_of(one.times, one.marks, one.column("session"), one.column("actor"))
        )

    def renumber(self, moved: Sequence[Numbers]) -> None:
        """Give each column the new numbers of its texts, and pairs those of the persons (the last of `moved`)."""
        for column, numbers in enumerate(moved):
            self._codes[column, : self.rows] = numbers[self._codes[column, : self.rows]]
        persons = moved[-1]
        self.pairs = {(int(persons[anonymous]), int(persons[user])) for anonymous, user in self.pairs}
        self._kept.clear()

    def _reserve(self, rows: int) -> None:
        size = len(self._times)
        if rows <= size:
            return
        # A minute of a busy app grows to many; what is left unused at its end should be little.
        size = max(rows, size + size // 2)
        self._times = np.resize(self._times, size)
        self._ids = np.resize(self._ids, size)
        self._marks = np.resize(self._marks, size)
        codes = np.empty((len(COLUMNS), size), np.int32)
        codes[:, : self.rows] = self._codes[:, : self.rows]
        self._codes = codes


def spans_of(times: Instants, marks: npt.NDArray[np.uint8], sessions: Numbers, actors: Numbers) -> Spans:
    """First and last event of each visitor without a session's id; what bots and servers send opens none."""
    rows = np.flatnonzero(((marks & (IS_BOT | IS_SERVER)) == 0) & (sessions == NOT_SET))
    found, places = np.unique(actors[rows], return_inverse=True)
    first = np.full(len(found), np.iinfo(np.int64).max)
    last = np.full(len(found), np.iinfo(np.int64).min)
    np.minimum.at(first, places, times[rows])
    np.maximum.at(last, places, times[rows])
    return Spans(found, first, last)
