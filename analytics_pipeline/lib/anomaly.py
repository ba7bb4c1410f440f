"""Whether an hour's number is unusual beside the same local hour of the weeks before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import median
from zoneinfo import ZoneInfo

from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period

WEEKS = 4
LEAST_WEEKS = 2
LEAST_EXPECTED = 30
MOST_DEVIATIONS = 3
# The median absolute deviation of normally spread numbers is their standard deviation over this.
MAD_TO_DEVIATION = 1.4826
# An unusual hour is news only so many roots of the expected number away from it: see docs/decisions/0017.
NEWS_ROOTS = 4
DAY, NEARBY = timedelta(days=1), timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A number beside those of the weeks before, the latest first; None where a week has no such hour.

    `change_pct` is null where the earlier number is 0, and where there is none.
    """

    current: float
    previous: float
    change_pct: float | None
    expected: float | None
    deviation: float | None
    weeks: int
    is_anomaly: bool


def judge(current: float, before: Sequence[float | None]) -> Judgement:
    """Compare with the week before, and with the median of all weeks known, by robust deviations.

    One robust deviation is 1.4826 times the median absolute deviation from the median. Only where that is 0, because
    most of the weeks are alike, it is the square root of the median: what a count varies by where nothing has changed.
    """
    known = [value for value in before if value is not None]
    previous = before[0] or 0.0
    change = 100 * (current - previous) / previous if previous else None
    if not known:
        return Judgement(current, previous, change, None, None, 0, is_anomaly=False)
    expected = float(median(known))
    spread = float(median(abs(value - expected) for value in known))
    deviation = MAD_TO_DEVIATION * spread or sqrt(expected)
    is_known = len(known) >= LEAST_WEEKS and expected >= LEAST_EXPECTED
    is_outside = abs(current - expected) > MOST_DEVIATIONS * deviation
    return Judgement(current, previous, change, expected, deviation, len(known), is_known and is_outside)


def same_hours(hour: Period, zone: ZoneInfo) -> list[Period | None]:
    """The same local hour of the weeks before, the latest first; None where clocks skipped it.

    Of an hour that occurs twice it is the one of the same offset, else the first: after the clocks went back, the
    second one.
    """
    found: list[Period | None] = []
    for week in range(1, WEEKS + 1):
        date = hour.local_date - 7 * week * DAY
        about = calendar.day(hour.app_id, zone, date).start + timedelta(hours=hour.local_hour or 0)
        # A day's clock changes move its hours by two at most.
        hours = calendar.hours_meeting(hour.app_id, zone, about - NEARBY, about + NEARBY)
        same = [one for one in hours if (one.local_date, one.local_hour) == (date, hour.local_hour)]
        found.append(next((one for one in same if one.utc_offset_minutes == hour.utc_offset_minutes), _first(same)))
    return found


def is_news(current: float, expected: float) -> bool:
    """Whether chance leaves a flagged number unexplained: a count varies by its root where nothing has changed.

    Two to four weeks say so little about their spread that a sixth and more of steady hours are flagged.
    """
    return abs(current - expected) > NEWS_ROOTS * sqrt(expected)


def counted_by(minutes: Sequence[int], elapsed: timedelta) -> float:
    """Events of an hour's first `elapsed` time, of its counts by minute; those of the last minute in proportion."""
    whole, rest = divmod(elapsed.total_seconds(), 60)
    passed = int(whole)
    part = minutes[passed] * rest / 60 if passed < len(minutes) else 0
    return sum(minutes[:passed]) + part


def elapsed_of(hour: Period, through: datetime) -> timedelta:
    """How much of the hour lies before `through`."""
    return min(through, hour.end) - hour.start


def _first(hours: Iterable[Period]) -> Period | None:
    return next(iter(hours), None)
