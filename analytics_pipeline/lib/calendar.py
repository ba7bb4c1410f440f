"""Hours, days, weeks and months of an app's time zone, as instants."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["hour", "day", "week", "month"]
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
MOMENT = timedelta(microseconds=1)
# An hour closes this long after its end; so do the counts of a day.
CLOSING_DELAY = timedelta(minutes=5)
# The sessions of a day follow from the events of so long before it, at most: the two days before the day before.
SESSIONS_NEED = timedelta(hours=73)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A local hour, day, week or month of an app: `[start, end)` in UTC, keyed by its start instant.

    `local_date` is its first day; only an hour has a `local_hour`.
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


def weeks_meeting(app_id: str, zone: ZoneInfo, start: datetime, end: datetime, week_start: int = 1) -> Iterator[Period]:
    """Local weeks of which some instant lies in `[start, end)`; `week_start` is an ISO weekday, 1 for Monday."""
    period = week_of(app_id, zone, start.astimezone(zone).date(), week_start)
    while period.start < end:
        yield period
        period = week_of(app_id, zone, period.local_date + WEEK, week_start)


def months_meeting(app_id: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Period]:
    """Local months of which some instant lies in `[start, end)`."""
    period = month_of(app_id, zone, start.astimezone(zone).date())
    while period.start < end:
        yield period
        period = month_of(app_id, zone, _next_month(period.local_date))


def meeting(
    grain: Grain, app_id: str, zone: ZoneInfo, start: datetime, end: datetime, week_start: int = 1
) -> Iterator[Period]:
    """Periods of `grain` of which some instant lies in `[start, end)`."""
    if grain == "hour":
        return hours_meeting(app_id, zone, start, end)
    if grain == "day":
        return days_meeting(app_id, zone, start, end)
    if grain == "week":
        return weeks_meeting(app_id, zone, start, end, week_start)
    return months_meeting(app_id, zone, start, end)


def is_in(period: Period, zone: ZoneInfo, week_start: int = 1) -> bool:
    """Whether `period` is one of the zone's hours, days, months, or weeks that begin on `week_start`."""
    moment_after = period.start + MOMENT
    found = meeting(period.grain, period.app_id, zone, period.start, moment_after, week_start)
    return period == next(found, None)


def week_of(app_id: str, zone: ZoneInfo, local_date: date, week_start: int = 1) -> Period:
    """The week that holds `local_date`."""
    first = local_date - timedelta(days=(local_date.isoweekday() - week_start) % 7)
    return _of_dates(app_id, "week", zone, first, first + WEEK)


def month_of(app_id: str, zone: ZoneInfo, local_date: date) -> Period:
    """The calendar month that holds `local_date`."""
    first = local_date.replace(day=1)
    return _of_dates(app_id, "month", zone, first, _next_month(first))


def days_of(period: Period, zone: ZoneInfo) -> list[Period]:
    """The local days that make up `period`, a day, week or month."""
    return list(days_meeting(period.app_id, zone, period.start, period.end))


def day(app_id: str, zone: ZoneInfo, local_date: date) -> Period:
    """The calendar day: 23 to 25 hours long where the clocks change."""
    return _of_dates(app_id, "day", zone, local_date, local_date + timedelta(days=1))


def _of_dates(app_id: str, grain: Grain, zone: ZoneInfo, first: date, following: date) -> Period:
    start = _midnight(zone, first)
    return Period(app_id, grain, start, _midnight(zone, following), first, None, _offset_minutes(zone, start))


def _next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


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
