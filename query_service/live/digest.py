"""What a summary needs of one minute, kept as long as no event is added: a summary costs no pass over all rows."""

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from query_service.live.codes import NOT_SET, Numbers
from query_service.live.minute import IS_BOT, IS_SERVER, IS_VIEW, MINUTE_US, Minute
from query_service.live.window import AppWindow

Counts = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int64]

Column = TypeVar("Column", Numbers, Keys)

_SHIFT = 32


class Digest(NamedTuple):
    """Events of a minute. Distinct actors as the events name them: who is stitched to whom may change later.

    `types` and `countries` count events by number, bots included; the number of a country is one more, 0 for none.
    `pages` counts people's views. `sessions` are those that people's events name, `loose` who sent events without one.
    """

    events: int
    views: int
    types: Counts
    actors: Numbers
    sessions: Numbers
    loose: Numbers
    pages: Counts
    page_actors: Keys
    countries: Counts
    country_actors: Keys


def digest_of(minute: Minute, rows: npt.NDArray[np.intp] | None = None) -> Digest:
    """The digest of some rows of a minute, or of all."""
    everything = slice(None) if rows is None else rows
    marks, actors = minute.marks[everything], minute.column("actor")[everything]
    countries = minute.column("country")[everything] + 1
    people = np.flatnonzero((marks & IS_BOT) == 0)
    theirs = actors[people]
    opening = people[(marks[people] & IS_SERVER) == 0]
    sessions = minute.column("session")[everything][opening]
    viewing = people[(marks[people] & IS_VIEW) != 0]
    pages = minute.column("page_url")[everything][viewing]
    has_page = pages != NOT_SET
    return Digest(
        events=len(marks),
        views=len(viewing),
        types=np.bincount(minute.column("event_type")[everything]),
        actors=_different(theirs),
        sessions=_different(sessions[sessions != NOT_SET]),
        loose=_different(actors[opening][sessions == NOT_SET]),
        pages=np.bincount(pages[has_page]),
        page_actors=_keys(pages[has_page], actors[viewing][has_page]),
        countries=np.bincount(countries),
        country_actors=_keys(countries[people], theirs),
    )


def digests(window: AppWindow, start_us: int, end_us: int) -> dict[int, Digest]:
    """Digests of the events in `[start_us, end_us)` by the number of their minute, ascending."""
    first, last = start_us // MINUTE_US, (end_us - 1) // MINUTE_US
    found: dict[int, Digest] = {}
    for number in sorted(number for number in window.minutes if first <= number <= last):
        minute = window.minutes[number]
        if start_us <= number * MINUTE_US and (number + 1) * MINUTE_US <= end_us:
            found[number] = minute.kept("digest", digest_of)
        else:
            inside = (minute.times >= start_us) & (minute.times < end_us)
            found[number] = (
                minute.kept("digest", digest_of) if inside.all() else digest_of(minute, np.flatnonzero(inside))
            )
    return found


def split(keys: Keys) -> tuple[Counts, Counts]:
    """The groups and the actors of keys."""
    return keys >> _SHIFT, keys & ((1 << _SHIFT) - 1)


def _keys(groups: Numbers, actors: Numbers) -> Keys:
    """The different pairs of a group and an actor."""
    return _different(groups.astype(np.int64) << _SHIFT | actors)


def _different(values: Column) -> Column:
    """The different values, ascending. `np.unique` hashes them, which takes several times as long."""
    if not len(values):
        return values
    ordered = np.sort(values)
    is_first = np.empty(len(ordered), np.bool_)
    is_first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
