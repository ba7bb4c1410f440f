"""Sessions as far as the window shows them: the client's by their id, else runs of a visitor's events."""

from collections.abc import Collection

import numpy as np

from query_service.live.codes import NOT_SET, Flags, Numbers
from query_service.live.digest import Digest
from query_service.live.minute import IS_SERVER, MINUTE_US, Instants, Spans, spans_of
from query_service.live.rows import Counts, Rows, distinct
from query_service.live.window import AppWindow

# A longer pause ends a run.
PAUSE_US = 30 * MINUTE_US
_NEVER = np.int64(2**62)


def average_duration(window: AppWindow, found: Collection[Digest], start_us: int, end_us: int) -> float | None:
    """Mean seconds from first to last event of people's sessions with an event in `[start_us, end_us)`, which ends now.

    Their earlier events count: those of a client's session as long as it is known, those of a run as far back as the
    window reaches. None without sessions. `found` are the digests of the range.
    """
    count = len(window.persons)
    first, last = window.lifetimes(distinct(_joined([one.sessions for one in found]), count))
    durations = [np.minimum(last, end_us) - first]
    loose = _joined([one.loose for one in found])
    if len(loose):
        durations += _runs_of(window, distinct(window.stitches.actors(count)[loose], count), start_us, end_us)
    seconds = np.concatenate(durations) / 1e6
    return float(seconds.mean()) if len(seconds) else None


def _joined(parts: list[Numbers]) -> Numbers:
    return np.concatenate([np.empty(0, np.int32), *parts])


def _runs_of(window: AppWindow, active: Numbers, start_us: int, end_us: int) -> list[Instants]:
    """Durations of the active visitors' runs that reach into the range."""
    count = len(window.persons)
    place = np.full(count, NOT_SET, np.int32)
    place[active] = np.arange(len(active), dtype=np.int32)
    places = place[window.stitches.actors(count)]
    first = np.full(len(active), _NEVER)
    last = np.full(len(active), -PAUSE_US)
    ended: list[Instants] = []
    for number in sorted(window.minutes):
        if number * MINUTE_US >= end_us:
            break
        spans = _spans(window, number, end_us)
        found = np.flatnonzero(places[spans.visitors] != NOT_SET)
        here = places[spans.visitors[found]]
        # Several ids of one visitor meet here. Within a minute nobody pauses for half an hour.
        begins = np.full(len(active), _NEVER)
        np.minimum.at(begins, here, spans.first[found])
        paused = (begins != _NEVER) & (begins - last > PAUSE_US)
        ended.append((last - first)[paused & (last >= start_us)])
        first = np.where(paused, begins, np.minimum(first, begins))
        np.maximum.at(last, here, spans.last[found])
    return [*ended, (last - first)[last >= start_us]]


def _spans(window: AppWindow, number: int, end_us: int) -> Spans:
    minute = window.minutes[number]
    if (number + 1) * MINUTE_US <= end_us:
        return minute.spans()
    rows = np.flatnonzero(minute.times < end_us)
    return spans_of(
        minute.times[rows], minute.marks[rows], minute.column("session")[rows], minute.column("actor")[rows]
    )


def session_numbers(rows: Rows, counted: Flags) -> tuple[Numbers, int]:
    """The session of each event, numbered from 0, NOT_SET for events that belong to none, and a bound of the numbers.

    Only `counted` events open sessions. What servers send belongs to one that somebody else's event here carries too.
    """
    sessions, opens = rows.column("session"), counted & ((rows.marks & IS_SERVER) == 0)
    count = len(rows.window.persons)
    is_open = np.zeros(count, np.bool_)
    is_open[sessions[opens & (sessions != NOT_SET)]] = True
    has_id = sessions != NOT_SET
    numbers = np.where(has_id & is_open[np.where(has_id, sessions, 0)], sessions, NOT_SET).astype(np.int32)
    loose = np.flatnonzero(opens & ~has_id)
    if not len(loose):
        return numbers, count
    runs = _runs(rows.actors[loose], rows.times[loose])
    numbers[loose] = count + runs
    return numbers, count + len(loose)


def _runs(actors: Numbers, times: Instants) -> Counts:
    """The number of each event's run."""
    order = np.lexsort((times, actors))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(actors[order]) != 0) | (np.diff(times[order]) > PAUSE_US)
    runs = np.empty(len(order), np.int64)
    runs[order] = np.cumsum(begins) - 1
    return runs
