"""Periods of an app's clock: where hours, days, weeks and months begin, and which of them a range is made of."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from query_service.query.ranges import DateRange, InstantRange, midnight

Granularity = Literal["minute", "hour", "day", "week", "month"]
Range = DateRange | InstantRange
# Chooses a granularity by the length of the range.
AUTO = "auto"

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# The finest granularity that makes few points of a range: the longest range for each.
_FEW_POINTS: tuple[tuple[timedelta, Granularity], ...] = (
    (60 * MINUTE, "minute"),
    (49 * HOUR, "hour"),
    (92 * DAY + HOUR, "day"),
    (2 * 366 * DAY, "week"),
)


def of_few_points(length: timedelta) -> Granularity:
    """The granularity that a chart of so long a range has: at most some hundred points."""
    return next((granularity for longest, granularity in _FEW_POINTS if length <= longest), "month")


@lru_cache(maxsize=512)
def bucket_starts(asked: Range, granularity: Granularity, week_start: int = 1) -> tuple[datetime, ...]:
    """The instants (UTC) at which the buckets of a range begin; the first and the last may be cut off by the range."""
    start, end = asked.instants
    first = period_start(start, granularity, asked.time_zone, week_start)
    following = starts_between(granularity, first, end, asked.time_zone, week_start)
    return (start, *(at for at in following if at > start))


def is_whole(asked: Range, granularity: Granularity, week_start: int = 1) -> bool:
    """Whether the range begins and ends where such a period does."""
    return all(period_start(at, granularity, asked.time_zone, week_start) == at for at in asked.instants)


def period_start(at: datetime, granularity: Granularity, zone: ZoneInfo, week_start: int = 1) -> datetime:
    """The instant (UTC) at which the period begins that holds `at`."""
    local = at.astimezone(zone)
    match granularity:
        case "minute":
            return at.astimezone(UTC).replace(second=0, microsecond=0)
        case "hour":
            return _hour_start(at.astimezone(UTC), zone)
        case "day":
            return midnight(local.date(), zone)
        case "week":
            return midnight(week_of(local.date(), week_start), zone)
        case "month":
            return midnight(local.date().replace(day=1), zone)


def starts_between(
    granularity: Granularity, first: datetime, end: datetime, zone: ZoneInfo, week_start: int = 1
) -> Iterator[datetime]:
    """Starts of periods from `first`, which is one, up to but without `end`."""
    at = first
    while at < end:
        yield at
        at = next_start(at, granularity, zone, week_start)


def next_start(at: datetime, granularity: Granularity, zone: ZoneInfo, week_start: int = 1) -> datetime:
    """The instant (UTC) at which the period ends that begins at `at`."""
    day = at.astimezone(zone).date()
    match granularity:
        case "minute":
            return at + MINUTE
        case "hour":
            return _hour_end(at, zone)
        case "day":
            following = day + DAY
            while midnight(following, zone) <= at:  # a day that the zone left out
                following += DAY
            return midnight(following, zone)
        case "week":
            return midnight(week_of(day, week_start) + 7 * DAY, zone)
        case "month":
            return midnight(next_month(day.replace(day=1)), zone)


def week_of(day: date, week_start: int) -> date:
    """First day of the week that holds the day; `week_start` is an ISO weekday, 1 for Monday."""
    return day - timedelta(days=(day.isoweekday() - week_start) % 7)


def next_month(first: date) -> date:
    """First day of the month after the one that begins on `first`."""
    return add_months(first, 1)


def add_months(first: date, months: int) -> date:
    """First day of the month so many months away from the one that begins on `first`."""
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def place_of(at: datetime, starts: Sequence[datetime]) -> int:
    """Number of the bucket that holds the instant."""
    return bisect_right(starts, at) - 1


def _hour_start(at: datetime, zone: ZoneInfo) -> datetime:
    """Hours are the instants that share date, hour and offset: a change of the clock inside one begins another."""
    local = at.astimezone(zone)
    start = at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    if start.astimezone(zone).utcoffset() == local.utcoffset():
        return start
    return _change(start, at, zone)


def _hour_end(at: datetime, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    end = at + HOUR - timedelta(minutes=local.minute)
    last = end - timedelta(microseconds=1)
    if last.astimezone(zone).utcoffset() == local.utcoffset():
        return end
    return _change(at, last, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the second, at which the offset is no longer that of `before`."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return (before + timedelta(seconds=1)).replace(microsecond=0)
