"""Hours and days of an app's time zone, as instants."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["hour", "day"]
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
# An hour closes this long after its end; so do the counts of a day.
CLOSING_DELAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A local hour or day of an app: `[start, end)` in UTC, keyed by its start instant.

    The hour that occurs twice at the end of summer time is two periods, told apart by `utc_offset_minutes`.
    """

    app_id: str
    grain: Grain
    start: datetime
    end: datetime
    local_date: date
    local_hour: int | None
    utc_offset_minutes: int

    def is_open(self, now: datetime) -> bool:
        """Whether events that arrive now are on time for this period."""
        return now < self.end + CLOSING_DELAY


def hours_starting_in(app_id: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Period]:
    """Local hours that start in `[start, end)`."""
    return (hour for hour in hours_meeting(app_id, zone, start, end) if hour.start >= start)


def hours_meeting(app_id: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Period]:
    """Local hours of which some instant lies in `[start, end)`."""
    instant = start.astimezone(UTC)
    while instant < end:
        hour = _hour_with(app_id, zone, instant)
        yield hour
        instant = hour.end


def days_meeting(app_id: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Period]:
    """Local days of which some instant lies in `[start, end)`."""
    local = start.astimezone(zone).date()
    while (period := day(app_id, zone, local)).start < end:
        yield period
        local += timedelta(days=1)


def is_in(period: Period, zone: ZoneInfo) -> bool:
    """Whether `period` is one of the zone's hours or days."""
    if period.grain == "day":
        return period == day(period.app_id, zone, period.local_date)
    return period == _hour_with(period.app_id, zone, period.start)


def day(app_id: str, zone: ZoneInfo, local_date: date) -> Period:
    """The calendar day: 23 to 25 hours long where the clocks change."""
    start, end = _midnight(zone, local_date), _midnight(zone, local_date + timedelta(days=1))
    return Period(app_id, "day", start, end, local_date, None, _offset_minutes(zone, start))


def _midnight(zone: ZoneInfo, local_date: date) -> datetime:
    # Where midnight is skipped, the zone's arithmetic gives the first instant after it.
    return datetime(local_date.year, local_date.month, local_date.day, tzinfo=zone).astimezone(UTC)


def _hour_with(app_id: str, zone: ZoneInfo, instant: datetime) -> Period:
    """The local hour that holds `instant`: the instants that share its date, hour and offset."""
    local = instant.astimezone(zone)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    start, end = instant - past, instant - past + HOUR
    # Where clocks change inside the hour (Lord Howe, by half an hour), it begins or ends at the change.
    if _offset_minutes(zone, start) != _offset_minutes(zone, instant):
        start = _change_between(zone, start, instant)
    if _offset_minutes(zone, end - MOMENT) != _offset_minutes(zone, instant):
        end = _change_between(zone, instant, end - MOMENT)
    return Period(app_id, "hour", start, end, local.date(), local.hour, _offset_minutes(zone, instant))


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """First instant at which `after`'s offset is in force; changes happen at whole minutes."""
    offset = _offset_minutes(zone, after)
    change = after.replace(second=0, microsecond=0)
    while change > before and _offset_minutes(zone, change - MOMENT) == offset:
        change -= timedelta(minutes=1)
    return change


def _offset_minutes(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)
