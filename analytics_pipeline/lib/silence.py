"""Whether an app that usually sends events has fallen silent."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import mean, median

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
WEEKS = 4
GAPS = 3
LEAST = timedelta(minutes=15)
# One import, or a few trials by hand, make no habit.
LEAST_HOURS = 3


def is_silent(received: Mapping[datetime, int], last_event_at: datetime, now: datetime) -> bool:
    """Whether no event came for 3 times the median gap of that weekday hour, and for at least 15 minutes.

    `received` has the events by UTC hour of arrival of the four weeks before `last_event_at`; hours without are left
    out. Only counts are kept, so the median gap is estimated from them: an hour's usual number n of events is the
    median of the same hour of the same weekday in the four weeks before (their mean, where the median is 0), and the
    gap is 3600 s / n, as if they came evenly (that of random arrivals is 0.69 of it: this is slower to call silence).

    A silence over several hours adds up the gaps that each of them would have held, and its 15 minutes are those of
    hours in which events are usual: a shop that is closed at night is not silent in the morning.
    """
    gaps, usual, at = 0.0, timedelta(), last_event_at
    while at < now and not (gaps >= GAPS and usual >= LEAST):
        hour = _hour(at)
        end = min(hour + HOUR, now)
        expected = usual_events(received, hour, _hour(last_event_at))
        if expected:
            gaps += expected * ((end - at) / HOUR)
            usual += end - at
        at = end
    return gaps >= GAPS and usual >= LEAST


def usual_events(received: Mapping[datetime, int], hour: datetime, last_hour: datetime) -> float:
    """Events to expect in the UTC hour that starts at `hour`; 0 where there never were any, or nobody can tell.

    The middle of the same hour in the weeks before; of an app that is younger, in the days before; on its first day,
    of all its hours up to `last_hour`, the one of its last event, once three of them had events.
    """
    first = min(received, default=None)
    if first is None:
        return 0.0
    weeks = [hour - number * WEEK for number in range(1, WEEKS + 1)]
    days = [hour - number * DAY for number in range(1, 8)]
    for before in (weeks, days):
        if known := _known(before, first, last_hour):
            return _middle([received.get(at, 0) for at in known])
    if sum(events > 0 for events in received.values()) < LEAST_HOURS:
        return 0.0
    count = int((last_hour - first) / HOUR) + 1
    return _middle([received.get(first + number * HOUR, 0) for number in range(count)])


def _middle(counts: Sequence[int]) -> float:
    return float(median(counts) or mean(counts))


def _known(hours: Sequence[datetime], first: datetime, last: datetime) -> list[datetime]:
    """Hours after the app's first one, which it may have begun late, and before the silence."""
    return [at for at in hours if first < at < last]


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
