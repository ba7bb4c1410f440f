"""The days, weeks and months of a time zone as numbers, so that offsets of periods are differences.

SQL engines convert time zones each in their own way; here Python computes the days, and events are joined to them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pyarrow as pa

Interval = Literal["day", "week", "month"]
INTERVALS: tuple[Interval, ...] = ("day", "week", "month")
LOCAL_DAYS = "local_days"


@dataclass(frozen=True, slots=True)
class Calendar:
    """A time zone and the ISO weekday on which its weeks start (1 is Monday)."""

    zone: ZoneInfo
    week_start: int = 1

    def number(self, interval: Interval, day: date) -> int:
        """Which period holds the day: numbers of neighbouring periods are neighbours."""
        match interval:
            case "day":
                return day.toordinal()
            case "week":
                # Day 1 of the ordinals is a Monday.
                return (day.toordinal() - self.week_start) // 7
            case "month":
                return day.year * 12 + day.month - 1

    def start(self, interval: Interval, number: int) -> date:
        """First day of the period."""
        match interval:
            case "day":
                return date.fromordinal(number)
            case "week":
                return date.fromordinal(number * 7 + self.week_start)
            case "month":
                return date(number // 12, number % 12 + 1, 1)

    def local_date(self, instant: datetime) -> date:
        """The day of the zone that holds the instant."""
        return instant.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """The instant (UTC) at which the day starts; where midnight is skipped, the first one after it."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def table(self, first: date, last: date) -> pa.Table:
        """Rows local_date, starts_at (instant), day_no, week_no, month_no for each day from `first` to `last`.

        A day that the zone left out, as islands that crossed the date line did, is none.
        """
        all_days = (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))
        starts = [(day, start) for day in all_days if self.local_date(start := self.midnight(day)) == day]
        days = [day for day, _ in starts]
        columns = {
            "local_date": pa.array(days, pa.date32()),
            "starts_at": pa.array([start for _, start in starts], pa.timestamp("us", tz="UTC")),
        }
        for interval in INTERVALS:
            columns[f"{interval}_no"] = pa.array((self.number(interval, day) for day in days), pa.int64())
        return pa.table(columns)
