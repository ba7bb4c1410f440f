"""The `date_range` and `compare` of a question: words, days or instants, meant on the app's clock."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from query_service.query.errors import InvalidParameter
from query_service.query.model import Tenant
from query_service.query.periods import DAY, HOUR, MINUTE, Range, add_months, next_start, period_start, week_of
from query_service.query.ranges import MAX_DAYS, DateRange, InstantRange, midnight

WINDOWS: Mapping[str, int] = {"5m": 5, "10m": 10, "60m": 60}
LAST_DAYS: Mapping[str, int] = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
CALENDAR = ("12mo", "week", "month", "year")
WORDS = ("today", "yesterday", *WINDOWS, "24h", "7d", "30d", "90d", *CALENDAR, "all")
DEFAULT_WORD = "30d"
COMPARISONS = ("previous_period", "previous_year")
RANGE_RULE = (
    f"One of: {', '.join(WORDS)}; or [from, to] with dates as YYYY-MM-DD in the app's time zone (`to` is exclusive) or "
    "instants as RFC 3339, e.g. 2026-11-20T13:00:00Z."
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_range(given: object, tenant: Tenant, now: datetime, field: str = "date_range") -> Range:
    """The range that a word or a pair means at `now`. Raises InvalidParameter."""
    if isinstance(given, str) and given in WORDS:
        return _of_word(given, tenant, now)
    if isinstance(given, list | tuple) and len(given) == 2:
        return _of_pair(given, tenant, field)
    raise InvalidParameter(field, f"{field}={_shown(given)} is not known.", RANGE_RULE)


def parse_compare(given: object, word: object, asked: Range, tenant: Tenant) -> Range | None:
    """The range to compare with; `word` is the question's own date_range. Raises InvalidParameter."""
    if given is None:
        return None
    if given == "previous_period":
        if word == "all":
            rule = "A date_range with a beginning."
            raise InvalidParameter("compare", "Nothing lies before all of an app's events.", rule)
        return _period_before(asked, word)
    if given == "previous_year":
        return _year_before(asked)
    if isinstance(given, list | tuple) and len(given) == 2:
        return _of_pair(given, tenant, "compare")
    rule = f"One of: {', '.join(COMPARISONS)}; or [from, to] as in date_range."
    raise InvalidParameter("compare", f"compare={_shown(given)} is not known.", rule)


def _of_word(word: str, tenant: Tenant, now: datetime) -> Range:
    zone, today = tenant.time_zone, now.astimezone(tenant.time_zone).date()
    if word in WINDOWS:
        return InstantRange(now - WINDOWS[word] * MINUTE, now, zone)
    if word == "24h":
        last = period_start(now, "hour", zone)
        return InstantRange(period_start(last - 23 * HOUR, "hour", zone), next_start(last, "hour", zone), zone)
    if word == "yesterday":
        return DateRange(today - DAY, today, zone)
    if word == "all":
        return DateRange(min(tenant.first_day or today, today), today + DAY, zone)
    if word in LAST_DAYS:
        return DateRange(today - (LAST_DAYS[word] - 1) * DAY, today + DAY, zone)
    return _of_calendar(word, today, tenant)


def _of_calendar(word: str, today: date, tenant: Tenant) -> DateRange:
    month = today.replace(day=1)
    if word == "week":
        first = week_of(today, tenant.week_start)
        return DateRange(first, first + 7 * DAY, tenant.time_zone)
    if word == "month":
        return DateRange(month, add_months(month, 1), tenant.time_zone)
    if word == "year":
        return DateRange(month.replace(month=1), date(today.year + 1, 1, 1), tenant.time_zone)
    return DateRange(add_months(month, -11), add_months(month, 1), tenant.time_zone)


def _of_pair(given: Any, tenant: Tenant, field: str) -> Range:
    zone = tenant.time_zone
    start, end = (_instant(one, tenant, f"{field}[{number}]") for number, one in enumerate(given))
    if start >= end:
        rule = "from lies before to; to is exclusive, so one day is [2026-11-20, 2026-11-21]."
        raise InvalidParameter(field, f"The range [{given[0]}, {given[1]}) is empty.", rule)
    if end - start > MAX_DAYS * DAY:
        raise InvalidParameter(field, f"The range spans {(end - start).days} days.", f"At most {MAX_DAYS} days.")
    first, last = (at.astimezone(zone).date() for at in (start, end))
    if (midnight(first, zone), midnight(last, zone)) == (start, end):
        return DateRange(first, last, zone)
    return InstantRange(start, end, zone)


def _instant(given: object, tenant: Tenant, field: str) -> datetime:
    try:
        if isinstance(given, str) and _DATE.fullmatch(given):
            return midnight(_in_calendar(date.fromisoformat(given)), tenant.time_zone)
        if isinstance(given, str) and (instant := datetime.fromisoformat(given)).tzinfo is not None:
            _in_calendar(instant.date())
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # no such day: refused below with the rule
    raise InvalidParameter(field, f"{field}={_shown(given)} is no date and no instant with an offset.", RANGE_RULE)


def _in_calendar(day: date) -> date:
    if not 1970 < day.year < 9998:
        raise ValueError(day)
    return day


def _period_before(asked: Range, word: object) -> Range:
    """The same span right before; of a word that names a calendar period, that period before."""
    if isinstance(asked, InstantRange):
        length = asked.end - asked.start
        return InstantRange(asked.start - length, asked.start, asked.time_zone)
    months = {"month": 1, "12mo": 12, "year": 12}.get(word) if isinstance(word, str) else None
    if months is not None:
        return DateRange(add_months(asked.start, -months), asked.start, asked.time_zone)
    return DateRange(asked.start - asked.days * DAY, asked.start, asked.time_zone)


def _year_before(asked: Range) -> Range:
    if isinstance(asked, DateRange):
        return DateRange(_last_year(asked.start), _last_year(asked.end), asked.time_zone)
    zone = asked.time_zone
    local = (at.astimezone(zone) for at in asked.instants)
    start, end = (datetime.combine(_last_year(at.date()), at.time(), zone).astimezone(UTC) for at in local)
    return InstantRange(start, end, zone)


def _last_year(day: date) -> date:
    """The same day a year before; 28 February for the 29th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _shown(given: object) -> str:
    return ascii(given)[:100]
