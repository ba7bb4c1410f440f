"""The questions that can be asked, checked: whatever is constructed here can be answered."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from eventmill.contracts import limits
from eventmill.contracts.event import SOURCES
from query_service.query.errors import InvalidParameter
from query_service.query.ranges import DateRange, InstantRange, date_range, hour_range

ALL = "all"
EACH = "*"
SOURCE_VALUES = tuple(dict.fromkeys(SOURCES.values()))
GRANULARITIES = ("hour", "day")
DEFAULT_ROWS = 1_000
MAX_ROWS = 10_000
DEFAULT_PAGES = 10
MAX_PAGES = 1_000
MAX_HOURLY_DAYS = 100

Parameters = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Tenant:
    """The app that a question is about. `week_start` is the ISO weekday on which its weeks begin.

    `first_day`: the local day of its first counted event, None before that. Raw events from `lake_floor` on are all in
    the lake; None: all there ever were.
    """

    app_id: str
    time_zone: ZoneInfo
    week_start: int = 1
    first_day: date | None = None
    lake_floor: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page of daily metrics; the next page starts after it."""

    date: date
    source: str
    event_name: str

    def encode(self) -> str:
        """As the text that a client sends back."""
        return base64.urlsafe_b64encode(json.dumps([str(self.date), self.source, self.event_name]).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises InvalidParameter for anything that `encode` did not write."""
        try:
            day, source, event_name = json.loads(base64.urlsafe_b64decode(text.encode()))
            if _is_storable(source) and _is_storable(event_name):
                return cls(date.fromisoformat(day), source, event_name)
        except (binascii.Error, ValueError, TypeError):
            pass  # refused below, like anything else that is no cursor
        raise InvalidParameter("cursor", "The cursor is not one.", "next_cursor of the previous page.")


@dataclass(frozen=True, slots=True)
class DailyQuery:
    """Daily counts. `source` and `event_name`: None covers all in one row, `*` gives a row each, else one value."""

    tenant: Tenant
    range: DateRange
    source: str | None = None
    event_name: str | None = None
    limit: int = DEFAULT_ROWS
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class TopPagesQuery:
    """The pages with the most views."""

    tenant: Tenant
    range: DateRange
    limit: int = DEFAULT_PAGES


@dataclass(frozen=True, slots=True)
class TodayQuery:
    """The running day's totals; `range` is that day."""

    tenant: Tenant
    range: DateRange


@dataclass(frozen=True, slots=True)
class AccountingQuery:
    """What became of the events that arrived, per UTC hour or, by `is_daily`, per day of the app's time zone."""

    tenant: Tenant
    range: DateRange | InstantRange
    is_daily: bool


def daily_query(parameters: Parameters, tenant: Tenant, now: datetime) -> DailyQuery:
    """Parameters source, event_name, start, end, limit, cursor. Raises InvalidParameter."""
    cursor = parameters.get("cursor")
    return DailyQuery(
        tenant,
        date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone),
        source=_source(parameters.get("source")),
        event_name=name_of("event_name", parameters.get("event_name"), limits.MAX_EVENT_NAME),
        limit=number("limit", parameters.get("limit"), DEFAULT_ROWS, MAX_ROWS),
        cursor=None if cursor is None else Cursor.decode(cursor),
    )


def accounting_query(parameters: Parameters, tenant: Tenant, now: datetime) -> AccountingQuery:
    """Parameters start, end, granularity. Raises InvalidParameter."""
    asked = hours_or_days(parameters, tenant, now)
    return AccountingQuery(tenant, asked, is_daily=isinstance(asked, DateRange))


def top_pages_query(parameters: Parameters, tenant: Tenant, now: datetime) -> TopPagesQuery:
    """Parameters limit, start, end. Raises InvalidParameter."""
    days = date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone)
    return TopPagesQuery(tenant, days, number("limit", parameters.get("limit"), DEFAULT_PAGES, MAX_PAGES))


def today_query(tenant: Tenant, now: datetime) -> TodayQuery:
    """The day in which `now` lies in the app's time zone."""
    today = now.astimezone(tenant.time_zone).date()
    return TodayQuery(tenant, DateRange(today, today + timedelta(days=1), tenant.time_zone))


def hours_or_days(
    parameters: Parameters, tenant: Tenant, now: datetime, allowed: Sequence[str] = GRANULARITIES
) -> DateRange | InstantRange:
    """The range by `granularity` hour or day, the default; `allowed` is what a refusal names."""
    start, end = parameters.get("start"), parameters.get("end")
    granularity = parameters.get("granularity") or "day"
    if granularity == "hour":
        return hour_range(start, end, now, tenant.time_zone, MAX_HOURLY_DAYS)
    if granularity == "day":
        return date_range(start, end, now, tenant.time_zone)
    raise InvalidParameter(
        "granularity", f"granularity={granularity!r} is not known.", f"One of: {', '.join(allowed)}."
    )


def _source(text: str | None) -> str | None:
    if text is None or text == ALL:
        return None
    if text == EACH:
        return EACH
    canonical = SOURCES.get(text)
    if canonical is None:
        allowed = ", ".join((ALL, EACH, *SOURCE_VALUES))
        raise InvalidParameter("source", f"source={text!r} is not known.", f"One of: {allowed}.")
    return canonical


def name_of(field: str, text: str | None, longest: int) -> str | None:
    """A name; None for all. Raises InvalidParameter."""
    if text is None or text == ALL:
        return None
    if not text or len(text) > longest or not _is_storable(text):
        rule = f"1 to {longest} characters; {ALL} or nothing covers all."
        raise InvalidParameter(field, f"{field} has {len(text)} characters, or some that no name can have.", rule)
    return text


def _is_storable(text: str) -> bool:
    """Whether Postgres can hold the text: no zero character, no half of a surrogate pair. TypeError for no text."""
    return not re.search("[\0\ud800-\udfff]", text)


def number(field: str, text: str | None, default: int, most: int) -> int:
    """A whole number from 1 to `most`; `default` where none is given. Raises InvalidParameter."""
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9) or not 1 <= int(text) <= most:
        raise InvalidParameter(field, f"{field}={text!r} is out of bounds.", f"A whole number from 1 to {most}.")
    return int(text)
