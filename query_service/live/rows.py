"""The rows of a window that a question is about, as arrays, and how they are counted."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from query_service.live.codes import NOT_SET, Flags, Numbers
from query_service.live.minute import IS_BOT, IS_VIEW, MINUTE_US, Instants, Minute
from query_service.live.window import AppWindow

Counts = npt.NDArray[np.int64]

# Flags for every pair of a group and a value take a byte each; beyond, sorting is better.
_MOST_FLAGS = 1 << 26


class Rows:
    """A window's events in `[start_us, end_us)`, in no particular order; columns are put together when asked for."""

    def __init__(self, window: AppWindow, start_us: int, end_us: int) -> None:
        self.window, self.start_us, self.end_us = window, start_us, end_us
        first, last = start_us // MINUTE_US, (end_us - 1) // MINUTE_US
        numbers = sorted(number for number in window.minutes if first <= number <= last)
        # A minute, and the rows of it that are meant; None for all.
        self._parts = [(window.minutes[number], self._chosen(number, window.minutes[number])) for number in numbers]

    def _chosen(self, number: int, minute: Minute) -> npt.NDArray[np.intp] | None:
        if self.start_us <= number * MINUTE_US and (number + 1) * MINUTE_US <= self.end_us:
            return None
        return np.flatnonzero((minute.times >= self.start_us) & (minute.times < self.end_us))

    @cached_property
    def times(self) -> Instants:
        """Event times in microseconds since 1970."""
        parts = [one.times if rows is None else one.times[rows] for one, rows in self._parts]
        return np.concatenate([np.empty(0, np.int64), *parts])

    @cached_property
    def marks(self) -> npt.NDArray[np.uint8]:
        """IS_BOT, IS_VIEW, IS_SERVER."""
        parts = [one.marks if rows is None else one.marks[rows] for one, rows in self._parts]
        return np.concatenate([np.empty(0, np.uint8), *parts])

    @cached_property
    def are_people(self) -> Flags:
        """Which events no bot sent."""
        flags: Flags = (self.marks & IS_BOT) == 0
        return flags

    @cached_property
    def are_views(self) -> Flags:
        """Which events are page or screen views."""
        flags: Flags = (self.marks & IS_VIEW) != 0
        return flags

    def column(self, name: str) -> Numbers:
        """Numbers of the texts of a column."""
        parts = [one.column(name) if rows is None else one.column(name)[rows] for one, rows in self._parts]
        return np.concatenate([np.empty(0, np.int32), *parts])

    @cached_property
    def actors(self) -> Numbers:
        """Who did it, as a number of a person, stitched as far as the window shows."""
        return self.window.stitches.actors(len(self.window.persons))[self.column("actor")]

    def minutes(self) -> Counts:
        """Number of each event's minute, the range's first being 0."""
        return self.times // MINUTE_US - self.start_us // MINUTE_US

    def __len__(self) -> int:
        return len(self.times)


def distinct(values: Numbers, most: int) -> Numbers:
    """The different values, ascending; all of them are below `most`."""
    seen = np.zeros(most, np.bool_)
    seen[values] = True
    return np.flatnonzero(seen).astype(np.int32)


def compact(values: Numbers, most: int) -> tuple[Numbers, int]:
    """The values numbered from 0 in the order of size, and how many different ones there are."""
    found = distinct(values, most)
    numbers = np.zeros(most, np.int32)
    numbers[found] = np.arange(len(found), dtype=np.int32)
    return numbers[values], len(found)


def distinct_by(groups: Counts | Numbers, values: Numbers, group_count: int, value_count: int) -> Counts:
    """How many different values each group has; groups and values are numbered from 0."""
    places = groups.astype(np.int64) * value_count + values
    if group_count * value_count <= _MOST_FLAGS:
        seen = np.zeros(group_count * value_count, np.bool_)
        seen[places] = True
        counts: Counts = seen.reshape(group_count, value_count).sum(axis=1, dtype=np.int64)
        return counts
    return np.bincount(np.unique(places) // max(1, value_count), minlength=group_count)


def largest(counts: Counts, texts: Sequence[str], most: int) -> list[int]:
    """The numbers of the largest counts above 0, equal ones in the order of their texts."""
    found = np.flatnonzero(counts)
    if len(found) > 4 * most:
        # All that could be among them: whoever is as large as the last one.
        least = np.partition(counts[found], len(found) - most)[len(found) - most]
        found = found[counts[found] >= least]
    return sorted(found.tolist(), key=lambda number: (-int(counts[number]), texts[number]))[:most]


def with_not_set(column: Numbers, count: int) -> Numbers:
    """The column with `count` in the place of NOT_SET."""
    return np.where(column == NOT_SET, np.int32(count), column)
