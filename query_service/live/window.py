"""The events of one app's last 60 minutes, by their time."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts.schema import EVENTS_SCHEMA
from query_service.live.codes import NOT_SET, Codes, Flags, Numbers
from query_service.live.minute import (
    COLUMNS,
    IS_BOT,
    IS_SERVER,
    IS_VIEW,
    MINUTE_US,
    PERSON_COLUMNS,
    TEXT_COLUMNS,
    Batch,
    Instants,
    Minute,
)
from query_service.live.seen_ids import SeenIds
from query_service.live.stitches import Pair, Stitches

# A minute more than can be asked for: a question takes its time from the clock to the answer.
SPAN_US = 61 * MINUTE_US
RECENT_EVENTS = 100
VIEWS = ("page_view", "screen_view")
# The kind of a person's id, in front of it.
USER, ANONYMOUS, SESSION = "u", "a", "s"
# What is read of an event, and its place in the stream.
SCHEMA = pa.schema(
    [
        EVENTS_SCHEMA.field(name)
        for name in (
            *("event_id", *TEXT_COLUMNS, "event_time", "user_id", "anonymous_id", "session_id", "is_bot"),
            *("stream_seq", "row_no"),
        )
    ]
)
_LEAST_GROWTH = 50_000
_KEPT_SHARE = 0.95
_NO_LIFETIME = np.array([[np.iinfo(np.int64).max], [np.iinfo(np.int64).min]])


class AppWindow:
    """What is known of one app's events from `start_us` on. Instants are microseconds since 1970."""

    def __init__(self) -> None:
        self.minutes: dict[int, Minute] = {}
        self.texts = {name: Codes() for name in TEXT_COLUMNS}
        self.persons = Codes()
        self.stitches = Stitches()
        # Every change of what is known gives it another number.
        self.version = 0
        self.rows = 0
        self._seen = SeenIds()
        self._recent: deque[pa.Table] = deque()
        self._floor_us = 0
        self._persons_kept = 0
        # First and last event of each client's session, by its number; of other numbers none.
        self._lifetimes: Instants = np.empty((2, 0), np.int64)

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        texts = sum(codes.bytes for codes in (*self.texts.values(), self.persons))
        return texts + self._lifetimes.nbytes + self._seen.bytes + sum(minute.bytes for minute in self.minutes.values())

    def start_us(self, now_us: int) -> int:
        """The instant from which on it holds all events: 61 minutes ago, or later where there was no room."""
        return max(now_us - SPAN_US, self._floor_us)

    def add(self, table: pa.Table, now_us: int) -> int:
        """Add events with the columns of SCHEMA, in the stream's order; how many were new and in time."""
        first_minute = self.start_us(now_us) // MINUTE_US
        times: Instants = table["event_time"].cast(pa.int64()).to_numpy()
        rows = np.flatnonzero(times // MINUTE_US >= first_minute)
        ids = np.fromiter(map(hash, table["event_id"].to_pylist()), np.int64, table.num_rows)
        rows = rows[self._seen.are_new(ids[rows])]
        if not len(rows):
            return 0
        kept = table if len(rows) == table.num_rows else table.take(pa.array(rows))
        self._seen.add(ids[rows])
        batch = Batch(times[rows], ids[rows], _marks(kept), self._encode(kept))
        self._store(batch, self._pairs(kept))
        self._note_lifetimes(batch)
        self._note_recent(kept)
        self.rows += len(rows)
        self.version += 1
        return len(rows)

    def advance(self, now_us: int) -> None:
        """Let go what is older than the window."""
        first = self.start_us(now_us) // MINUTE_US
        past = [minute for minute in self.minutes if minute < first]
        for minute in past:
            self._drop(minute)
        if past:
            self._tidy()

    def shorten(self) -> None:
        """Let go the oldest minutes, a twentieth of the events at least, and begin after them from now on."""
        goal = self.rows * _KEPT_SHARE
        while self.minutes and (self.rows > goal or not self.rows):
            oldest = min(self.minutes)
            self._floor_us = max(self._floor_us, (oldest + 1) * MINUTE_US)
            self._drop(oldest)
        self._forget_ids()
        self._renumber()

    def recent(self) -> list[dict[str, Any]]:
        """The events that came last, the newest first: all columns of SCHEMA."""
        rows = [row for table in self._recent for row in table.to_pylist()]
        return rows[: -RECENT_EVENTS - 1 : -1]

    def lifetimes(self, sessions: Numbers) -> tuple[Instants, Instants]:
        """First and last event of people in each of these sessions of the client."""
        return self._lifetimes[0, sessions], self._lifetimes[1, sessions]

    def _encode(self, table: pa.Table) -> Numbers:
        columns = [self.texts[name].encode(table[name]) for name in TEXT_COLUMNS]
        session = _with_kind(SESSION, table["session_id"])
        actor = pc.coalesce(_with_kind(USER, table["user_id"]), _with_kind(ANONYMOUS, table["anonymous_id"]), session)
        return np.stack([*columns, self.persons.encode(actor), self.persons.encode(session)])

    def _pairs(self, table: pa.Table) -> list[tuple[int, Pair]]:
        """Minute, anonymous id and user of the events that carry both."""
        both = table.filter(pc.and_(pc.is_valid(table["user_id"]), pc.is_valid(table["anonymous_id"])))
        if not both.num_rows:
            return []
        minutes = both["event_time"].cast(pa.int64()).to_numpy() // MINUTE_US
        anonymous = self.persons.encode(_with_kind(ANONYMOUS, both["anonymous_id"]))
        users = self.persons.encode(_with_kind(USER, both["user_id"]))
        return list(zip(minutes.tolist(), zip(anonymous.tolist(), users.tolist(), strict=True), strict=True))

    def _store(self, batch: Batch, pairs: Sequence[tuple[int, Pair]]) -> None:
        minutes = batch.times // MINUTE_US
        if minutes[0] != minutes[-1] or (minutes != minutes[0]).any():
            order = np.argsort(minutes, kind="stable")
            batch, minutes = batch.where(order), minutes[order]
        starts = [0, *(np.flatnonzero(np.diff(minutes)) + 1).tolist(), len(minutes)]
        for start, end in pairwise(starts):
            self.minutes.setdefault(int(minutes[start]), Minute()).append(batch.where(np.arange(start, end)))
        for number, pair in set(pairs):
            known = self.minutes[number].pairs
            if pair not in known:
                known.add(pair)
                self.stitches.add([pair])

    def _note_lifetimes(self, batch: Batch) -> None:
        size, wanted = self._lifetimes.shape[1], len(self.persons)
        if wanted > size:
            grown = np.empty((2, max(wanted, 2 * size)), np.int64)
            grown[:, :size] = self._lifetimes
            grown[:, size:] = _NO_LIFETIME
            self._lifetimes = grown
        sessions = batch.codes[COLUMNS.index("session")]
        rows = np.flatnonzero(((batch.marks & (IS_BOT | IS_SERVER)) == 0) & (sessions != NOT_SET))
        np.minimum.at(self._lifetimes[0], sessions[rows], batch.times[rows])
        np.maximum.at(self._lifetimes[1], sessions[rows], batch.times[rows])

    def _note_recent(self, table: pa.Table) -> None:
        self._recent.append(table.slice(max(0, table.num_rows - RECENT_EVENTS)))
        rows = sum(one.num_rows for one in self._recent)
        while rows - self._recent[0].num_rows >= RECENT_EVENTS:
            rows -= self._recent.popleft().num_rows

    def _drop(self, number: int) -> None:
        minute = self.minutes.pop(number)
        self.stitches.remove(minute.pairs)
        self.rows -= minute.rows
        self.version += 1

    def _tidy(self) -> None:
        """Forget ids and texts that no event has any more, once they are as many as those in use."""
        if len(self._seen) > 2 * self.rows + _LEAST_GROWTH:
            self._forget_ids()
        if len(self.persons) > 2 * self._persons_kept + _LEAST_GROWTH:
            self._renumber()

    def _forget_ids(self) -> None:
        self._seen.reset(np.concatenate([np.empty(0, np.int64), *(one.ids for one in self.minutes.values())]))

    def _renumber(self) -> None:
        moved = [self.texts[name].keep(self._used(name, len(self.texts[name]))) for name in TEXT_COLUMNS]
        used = np.zeros(len(self.persons) + 1, np.bool_)
        for name in PERSON_COLUMNS:
            used[:-1] |= self._used(name, len(self.persons))
        for minute in self.minutes.values():
            used[[number for pair in minute.pairs for number in pair]] = True
        self._lifetimes = self._lifetimes[:, np.flatnonzero(used[:-1])]
        persons = self.persons.keep(used[:-1])
        self.stitches = Stitches()
        for minute in self.minutes.values():
            minute.renumber([*moved, *[persons] * len(PERSON_COLUMNS)])
            self.stitches.add(minute.pairs)
        self._persons_kept = len(self.persons)

    def _used(self, name: str, count: int) -> Flags:
        used = np.zeros(count + 1, np.bool_)
        for minute in self.minutes.values():
            used[minute.column(name)] = True
        flags: Flags = used[:-1]
        return flags


def _with_kind(kind: str, column: pa.ChunkedArray) -> pa.Array:
    texts = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
    return pc.binary_join_element_wise(kind, texts, "")


def _marks(table: pa.Table) -> Any:
    is_view = pc.is_in(table["event_type"], pa.array(VIEWS))
    marks = (
        (table["is_bot"], IS_BOT),
        (is_view, IS_VIEW),
        (pc.equal(table["source"], "server"), IS_SERVER),
    )
    found = np.zeros(table.num_rows, np.uint8)
    for column, mark in marks:
        found[column.to_numpy().astype(np.bool_)] |= mark
    return found
