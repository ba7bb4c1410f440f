"""Questions: what parameters mean, and what is refused."""

import contextlib
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_service.query.errors import InvalidParameter
from query_service.query.model import (
    EACH,
    Cursor,
    Tenant,
    daily_query,
    today_query,
    top_pages_query,
)
from query_service.query.ranges import DateRange, InstantRange
from query_service.query.timeseries import timeseries_query

NOW = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
UTC_SHOP = Tenant("shop", ZoneInfo("UTC"))
KIRITIMATI_SHOP = Tenant("shop", ZoneInfo("Pacific/Kiritimati"))


def test_today_is_the_apps_own_day() -> None:
    assert today_query(UTC_SHOP, NOW).range.start == date(2026, 11, 20)
    assert today_query(KIRITIMATI_SHOP, NOW).range.start == date(2026, 11, 21)


def test_the_default_range_is_thirty_days_back_to_tomorrow() -> None:
    days = daily_query({}, KIRITIMATI_SHOP, NOW).range
    assert (days.start, days.end, days.days) == (date(2026, 10, 22), date(2026, 11, 22), 31)


def test_nothing_and_all_cover_every_source_and_name_in_one_row() -> None:
    assert daily_query({}, UTC_SHOP, NOW) == daily_query({"source": "all", "event_name": "all"}, UTC_SHOP, NOW)
    assert daily_query({"source": "*"}, UTC_SHOP, NOW).source == EACH


def test_the_alias_api_means_server() -> None:
    assert daily_query({"source": "api"}, UTC_SHOP, NOW).source == "server"


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.dates(), NAMES, NAMES)
def test_a_cursor_comes_back_as_it_was(day: date, source: str, event_name: str) -> None:
    cursor = Cursor(day, source, event_name)
    assert Cursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "WzFd",
        "bnVsbA==",
        "WyIyMDI2LTAxLTAxIiwgImEiLCAiXHUwMDAwIl0=",
        "WyIyMDI2LTAxLTAxIiwgMSwgMl0=",
        "WyJ4IiwgImEiLCAiYiJd",
        "é",
    ],
)
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        Cursor.decode(text)
    assert refused.value.field == "cursor"


@given(st.text(max_size=30))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for name in ("start", "end", "limit", "granularity"):
        for ask in (daily_query, timeseries_query, top_pages_query):
            with contextlib.suppress(InvalidParameter):
                ask({"granularity": "hour"} | {name: text}, UTC_SHOP, NOW)


def test_hours_are_asked_for_by_date_or_by_the_start_of_an_hour() -> None:
    asked = {"granularity": "hour", "start": "2026-11-19", "end": "2026-11-20T13:00:00Z"}
    hours = timeseries_query(asked, UTC_SHOP, NOW).range
    assert hours.instants == (datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC))


def test_an_hour_starts_where_the_zones_clock_says_so() -> None:
    nepal = Tenant("shop", ZoneInfo("Asia/Kathmandu"))
    asked = {"granularity": "hour", "start": "2026-11-19T00:15:00Z", "end": "2026-11-19T07:00:00 05:45"}
    assert timeseries_query(asked, nepal, NOW).range.instants[1] == datetime(2026, 11, 19, 1, 15, tzinfo=UTC)
    with pytest.raises(InvalidParameter, match="Asia/Kathmandu"):
        timeseries_query(asked | {"start": "2026-11-19T00:00:00Z"}, nepal, NOW)


@pytest.mark.parametrize(
    ("start", "end", "granularity", "days"),
    [
        (None, None, "day", 31),
        ("2026-11-19", "2026-11-21", "hour", 2),
        ("2026-11-19T05:00:00Z", "2026-11-19T09:00:00Z", "hour", 0),
        ("2026-11-10T05:00:00Z", "2026-11-19T09:00:00Z", "day", 10),
        ("2026-01-01", None, "week", 324),
        ("2020-01-01", "2026-01-01", "month", 2192),
    ],
)
def test_auto_takes_few_points_of_a_range(start: str | None, end: str | None, granularity: str, days: int) -> None:
    query = timeseries_query({"granularity": "auto", "start": start, "end": end}, UTC_SHOP, NOW)
    first, last = query.range.instants
    assert (query.granularity, (last - first).days) == (granularity, days)


def test_days_are_the_default_granularity() -> None:
    assert isinstance(timeseries_query({}, UTC_SHOP, NOW).range, DateRange)
    assert isinstance(timeseries_query({"granularity": "hour"}, UTC_SHOP, NOW).range, InstantRange)


def test_an_hourly_range_is_bounded() -> None:
    with pytest.raises(InvalidParameter, match="spans"):
        timeseries_query({"granularity": "hour", "start": "2025-01-01"}, UTC_SHOP, NOW)
