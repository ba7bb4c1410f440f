"""Half-open ranges of time, given as text by a client and meant in an app's time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from query_service.query.errors import InvalidParameter

DEFAULT_DAYS = 30
MAX_DAYS = 3_660
DATE_RULE = "A date as YYYY-MM-DD, in the app's time zone."
HOUR_RULE = (
    "A date as YYYY-MM-DD in the app's time zone, or the start of an hour as RFC 3339, e.g. 2026-11-20T13:00:00Z."
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class DateRange:
    """Local days `[start, end)` in `time_zone`."""

    start: date
    end: date
    time_zone: ZoneInfo

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    @property
    def instants(self) -> tuple[datetime, datetime]:
        """The instants (UTC) at which the first day starts and the last one ends."""
        return midnight(self.start, self.time_zone), midnight(self.end, self.time_zone)

    def echo(self) -> dict[str, str]:
        """The range as an answer names it."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat(), "time_zone": self.time_zone.key}


@dataclass(frozen=True, slots=True)
class InstantRange:
    """Instants `[start, end)` in UTC; questions of version 1 take starts of hours in `time_zone` alone."""

    start: datetime
    end: datetime
    time_zone: ZoneInfo

    @property
    def instants(self) -> tuple[datetime, datetime]:
        """Start and end in UTC."""
        return self.start, self.end

    def echo(self) -> dict[str, str]:
        """The range as an answer names it, in the app's local time."""
        start, end = (at.astimezone(self.time_zone).isoformat() for at in self.instants)
        return {"start": start, "end": end, "time_zone": self.time_zone.key}


@lru_cache(maxsize=8_192)
def midnight(day: date, time_zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which a local day starts: where the clock jumps over midnight, the first one after it."""
    return datetime.combine(day, time(), time_zone).astimezone(UTC)


def date_range(start: str | None, end: str | None, now: datetime, time_zone: ZoneInfo) -> DateRange:
    """Days `[start, end)`: 30 days ago to tomorrow where nothing is given. Raises InvalidParameter."""
    today = now.astimezone(time_zone).date()
    first = today - timedelta(days=DEFAULT_DAYS) if start is None else day_of("start", start)
    last = today + timedelta(days=1) if end is None else day_of("end", end)
    _check_order(first, last)
    _check_length((last - first).days, MAX_DAYS)
    return DateRange(first, last, time_zone)


def hour_range(start: str | None, end: str | None, now: datetime, time_zone: ZoneInfo, max_days: int) -> InstantRange:
    """Hours `[start, end)`: yesterday and today where nothing is given. Raises InvalidParameter."""
    today = now.astimezone(time_zone).date()
    first = midnight(today - timedelta(days=1), time_zone) if start is None else _hour("start", start, time_zone)
    last = midnight(today + timedelta(days=1), time_zone) if end is None else _hour("end", end, time_zone)
    _check_order(first, last)
    _check_length((last - first) / timedelta(days=1), max_days)
    return InstantRange(first, last, time_zone)


def day_of(field: str, text: str) -> date:
    """The date that a text names. Raises InvalidParameter."""
    if _DATE.fullmatch(text):
        try:
            value = date.fromisoformat(text)
        except ValueError:
            pass  # the pattern fits, the day does not exist: refused below with the rule
        else:
            if 1970 <= value.year < 9999:
                return value
    raise InvalidParameter(field, f"{field}={text!r} is not a date.", DATE_RULE)


def _hour(field: str, text: str, time_zone: ZoneInfo) -> datetime:
    if _DATE.fullmatch(text):
        return midnight(day_of(field, text), time_zone)
    try:
        # An unescaped + arrives as a space.
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not 1970 <= instant.year < 9999:
        raise InvalidParameter(field, f"{field}={text!r} is not a date or an instant.", HOUR_RULE)
    local = instant.astimezone(time_zone)
    if (local.minute, local.second, local.microsecond) != (0, 0, 0):
        raise InvalidParameter(field, f"{field}={text!r} is not the start of an hour in {time_zone.key}.", HOUR_RULE)
    return instant.astimezone(UTC)


def _check_order(start: date, end: date) -> None:
    if start >= end:
        rule = "start lies before end; end is exclusive, so one day is start=2026-11-20&end=2026-11-21."
        raise InvalidParameter("end", f"The range [{start}, {end}) is empty.", rule)


def _check_length(days: float, most: int) -> None:
    if days > most:
        raise InvalidParameter("start", f"The range spans {days:.0f} days.", f"At most {most} days.")
