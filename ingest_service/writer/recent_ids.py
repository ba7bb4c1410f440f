"""The ids of the events stored lately, in little memory: which event is a second copy within the window?

An id is kept as 128 bits of keyed hash and the time of its arrival: 24 bytes in a hash table of numpy arrays, which is
looked up and filled a whole batch at a time. Nothing is deleted from a table: when it has been filled for a quarter of
the window the next one is begun, and it goes as a whole when its newest id has left the window.
"""

from collections import deque
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from ingest_service.writer.id_keys import IdKeys

_Flags = npt.NDArray[np.bool_]

_SMALLEST_SLOTS = 1 << 12
_GENERATIONS = 4
_PIECE = 1 << 14
# Beyond it, looking for a free slot takes long.
_LOAD = 0.6
_NEVER = np.iinfo(np.int64).max
BYTES_PER_ID = 24 / _LOAD


class _Generation:
    """One hash table: open addressing, linear probing, no deletion. Keys come sorted by `first`, whose upper bits are
    the place: the table is walked through in one direction, which the processor's caches like."""

    def __init__(self, slots: int, begun_us: int) -> None:
        self._make(slots)
        self.begun_us = begun_us
        self.newest_us = begun_us
        self.count = 0

    def _make(self, slots: int) -> None:
        self.slots = slots
        self._shift = np.uint64(65 - slots.bit_length())
        self._first = np.zeros(slots, np.uint64)
        self._second = np.zeros(slots, np.uint64)
        self._received = np.zeros(slots, np.int64)

    @property
    def capacity(self) -> int:
        """Ids that the table takes at its size."""
        return int(self.slots * _LOAD)

    def find(self, keys: IdKeys, window_us: int, found: _Flags) -> None:
        """Set `found` where a key is in the table and arrived less than the window away."""
        slots = self._places(keys)
        occupants = self._first[slots]
        rest = np.flatnonzero(occupants)
        slots, occupants = slots[rest], occupants[rest]
        while len(rest):
            equal = np.flatnonzero(occupants == keys.first[rest])
            if len(equal):
                row, slot = rest[equal], slots[equal]
                is_recent = np.abs(self._received[slot] - keys.received_us[row]) < window_us
                found[row[is_recent & (self._second[slot] == keys.second[row])]] = True
            slots = (slots + 1) & (self.slots - 1)
            occupants = self._first[slots]
            goes_on = np.flatnonzero(occupants)
            rest, slots, occupants = rest[goes_on], slots[goes_on], occupants[goes_on]

    def add(self, keys: IdKeys) -> None:
        """Add keys; the caller sees to it that they fit, and sets `newest_us`."""
        self._insert(keys)
        self.count += len(keys)

    def grow(self, slots: int) -> None:
        """Move to a larger table."""
        taken = self._first != 0
        keys = IdKeys(self._first[taken], self._second[taken], self._received[taken])
        self._make(slots)
        # They come in the order of their places but for those carried over the end: nothing to sort. In pieces, because
        # a commit waits for it, and arrays that leave the processor's caches take several times as long.
        for start in range(0, len(keys), _PIECE):
            self._insert(keys.slice(start, start + _PIECE))

    def _places(self, keys: IdKeys) -> npt.NDArray[np.intp]:
        return (keys.first >> self._shift).astype(np.intp)

    def _insert(self, keys: IdKeys) -> None:
        rest, slots = np.arange(len(keys)), self._places(keys)
        while len(rest):
            free = np.flatnonzero(self._first[slots] == 0)
            takers, places = rest[free], slots[free]
            self._first[places] = keys.first[takers]
            self._second[places] = keys.second[takers]
            self._received[places] = keys.received_us[takers]
            # Where several wanted one slot, the last of them has it; the others look on.
            has_place = np.zeros(len(rest), np.bool_)
            has_place[free] = (
                (self._first[places] == keys.first[takers])
                & (self._second[places] == keys.second[takers])
                & (self._received[places] == keys.received_us[takers])
            )
            rest, slots = rest[~has_place], (slots[~has_place] + 1) & (self.slots - 1)


class RecentIds:
    """Ids that arrived within `window` of the newest one, at most some `most` of them (about 40 bytes each)."""

    def __init__(self, window: timedelta, most: int) -> None:
        self._window_us = window // timedelta(microseconds=1)
        self._largest_slots = max(16, 1 << (int(most / _GENERATIONS / _LOAD).bit_length() - 1))
        self._most = most
        self._generations: deque[_Generation] = deque()
        self._newest_us = 0
        # Of what arrived up to here some was given up for want of room.
        self._forgotten_us = 0

    def __len__(self) -> int:
        return sum(generation.count for generation in self._generations)

    @property
    def seconds(self) -> float:
        """Length of the window as it is: shorter than asked for where that many ids have no room."""
        return min(self._window_us, self._newest_us - self._forgotten_us) / 1e6

    def seen(self, keys: IdKeys) -> _Flags:
        """Which of the keys are second copies: of an id added before, arrived less than the window away."""
        order = np.argsort(keys.first)
        ordered = keys.where(order)
        found = np.zeros(len(keys), np.bool_)
        for generation in self._generations:
            generation.find(ordered, self._window_us, found)
        seen = np.empty_like(found)
        seen[order] = found
        return seen

    def add(self, keys: IdKeys, now_us: int = _NEVER) -> None:
        """Remember keys. One that arrived after `now_us` does not push out what is still within the window.

        Such is the mark of a gateway whose clock is ahead.
        """
        if not len(keys):
            return
        self._newest_us = max(self._newest_us, min(int(keys.received_us.max()), now_us))
        self._expire()
        start = 0
        while start < len(keys):
            generation = self._current(len(keys) - start)
            stop = min(len(keys), start + generation.capacity - generation.count)
            generation.add(keys.slice(start, stop).sorted())
            generation.newest_us = self._newest_us
            start = stop

    def _expire(self) -> None:
        while self._generations and self._generations[0].newest_us <= self._newest_us - self._window_us:
            self._generations.popleft()

    def _current(self, wanted: int) -> _Generation:
        """The generation that ids go to, with room for `wanted` of them or at least for one."""
        last = self._generations[-1] if self._generations else None
        if last is None or self._newest_us - last.begun_us >= self._window_us // _GENERATIONS:
            return self._begin()
        while last.count + wanted > last.capacity and last.slots < self._largest_slots:
            last.grow(2 * last.slots)
        return last if last.count < last.capacity else self._begin()

    def _begin(self) -> _Generation:
        slots = _SMALLEST_SLOTS
        # For as many as came in the quarter before: to grow costs a commit its time.
        while self._generations and slots * _LOAD < self._generations[-1].count:
            slots *= 2
        generation = _Generation(min(slots, self._largest_slots), self._newest_us)
        self._generations.append(generation)
        # The largest that it may become is kept free for it.
        most = self._most - int(self._largest_slots * _LOAD)
        while len(self._generations) > 1 and len(self) > most:
            self._forgotten_us = max(self._forgotten_us, self._generations.popleft().newest_us)
        return generation


def copies_within(keys: IdKeys, window: timedelta) -> _Flags:
    """Which keys are second copies of another one of the same batch, within the window of the copy that counts."""
    copies = np.zeros(len(keys), np.bool_)
    ascending = np.sort(keys.first)
    if not (ascending[1:] == ascending[:-1]).any():
        return copies
    window_us = window // timedelta(microseconds=1)
    counting: dict[tuple[int, int], list[int]] = {}
    texts = zip(keys.first.tolist(), keys.second.tolist(), keys.received_us.tolist(), strict=True)
    for row, (first, second, received_us) in enumerate(texts):
        earlier = counting.setdefault((first, second), [])
        if any(abs(received_us - other) < window_us for other in earlier):
            copies[row] = True
        else:
            earlier.append(received_us)
    return copies
