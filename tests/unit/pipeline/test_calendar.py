"""Hours, days, weeks and months of an app's time zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_pipeline.lib import calendar

ZONES = ["UTC", "Asia/Kathmandu", "Asia/Tehran", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"]
instants = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))


def test_the_hour_that_occurs_twice_is_two_hours() -> None:
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    hours = list(calendar.hours_starting_in("a", zone, start, start + timedelta(hours=4)))
    assert [(hour.local_hour, hour.utc_offset_minutes) for hour in hours] == [
        (0, -240),
        (1, -240),
        (1, -300),
        (2, -300),
    ]


def test_the_hour_that_is_skipped_does_not_exist() -> None:
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 3, 8, 6, tzinfo=UTC)
    hours = list(calendar.hours_starting_in("a", zone, start, start + timedelta(hours=2)))
    assert [hour.local_hour for hour in hours] == [1, 3]


@pytest.mark.parametrize(("local_date", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_a_day_on_which_clocks_change_has_23_or_25_hours(local_date: date, hours: int) -> None:
    day = calendar.day("a", ZoneInfo("America/New_York"), local_date)
    assert day.end - day.start == timedelta(hours=hours)


def test_hours_of_a_zone_with_a_quarter_offset_start_at_its_own_full_hours() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    (hour,) = calendar.hours_starting_in(
        "a", zone, datetime(2026, 5, 1, 10, tzinfo=UTC), datetime(2026, 5, 1, 11, tzinfo=UTC)
    )
    assert (hour.start.minute, hour.local_hour) == (15, 16)


@pytest.mark.parametrize("local_date", [date(2026, 4, 5), date(2026, 10, 4)])
def test_clocks_that_change_by_half_an_hour_leave_every_hour_a_key_of_its_own(local_date: date) -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    day = calendar.day("a", zone, local_date)
    hours = list(calendar.hours_starting_in("a", zone, day.start, day.end))
    keys = [(hour.local_hour, hour.utc_offset_minutes) for hour in hours]
    assert len(set(keys)) == len(keys)
    assert [hour.end for hour in hours] == [hour.start for hour in hours[1:]] + [day.end]


@given(instant=instants, name=st.sampled_from(ZONES))
def test_every_instant_lies_in_exactly_one_hour_and_one_day(instant: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    just_after = instant + timedelta(microseconds=1)
    hours = list(calendar.hours_meeting("a", zone, instant, just_after))
    days = list(calendar.days_meeting("a", zone, instant, just_after))
    assert [period.start <= instant < period.end for period in hours + days] == [True, True]


@given(instant=instants, name=st.sampled_from(ZONES))
def test_the_hours_of_a_day_fill_it_without_gap_or_overlap(instant: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    (day,) = calendar.days_meeting("a", zone, instant, instant + timedelta(microseconds=1))
    hours = list(calendar.hours_starting_in("a", zone, day.start, day.end))
    edges = [hour.start for hour in hours] + [hours[-1].end]
    assert edges[0] == day.start
    assert edges[-1] == day.end
    assert all(hour.end == following for hour, following in zip(hours, edges[1:], strict=True))


@pytest.mark.parametrize(
    ("week_start", "first"),
    [(1, date(2026, 10, 26)), (7, date(2026, 11, 1)), (6, date(2026, 10, 31))],
)
def test_a_week_begins_on_the_app_s_first_weekday(week_start: int, first: date) -> None:
    week = calendar.week_of("a", ZoneInfo("America/New_York"), date(2026, 11, 1), week_start)
    assert week.local_date == first


def test_a_week_in_which_clocks_go_back_has_169_hours() -> None:
    week = calendar.week_of("a", ZoneInfo("America/New_York"), date(2026, 11, 1))
    assert week.end - week.start == timedelta(hours=169)


def test_a_month_ends_where_the_next_one_begins() -> None:
    zone = ZoneInfo("Asia/Tehran")
    months = list(
        calendar.months_meeting("a", zone, datetime(2027, 12, 5, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC))
    )
    assert [month.local_date for month in months] == [
        date(2027, 12, 1),
        date(2028, 1, 1),
        date(2028, 2, 1),
        date(2028, 3, 1),
    ]
    assert [month.end for month in months[:-1]] == [month.start for month in months[1:]]


@given(instant=instants, name=st.sampled_from(ZONES), week_start=st.integers(1, 7))
def test_the_days_of_a_week_and_of_a_month_fill_it(instant: datetime, name: str, week_start: int) -> None:
    zone = ZoneInfo(name)
    for grain in ("week", "month"):
        (period,) = calendar.meeting(grain, "a", zone, instant, instant + timedelta(microseconds=1), week_start)
        days = calendar.days_of(period, zone)
        assert (days[0].start, days[-1].end) == (period.start, period.end)
        assert calendar.is_in(period, zone, week_start)
