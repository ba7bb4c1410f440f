"""Answers: zero-filled periods across clock changes, and what an answer says about itself."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from query_service.query.answer import daily_answer, hour_starts, timeseries_answer
from query_service.query.executor import Freshness, Result
from query_service.query.model import Cursor, DailyQuery, Tenant
from query_service.query.periods import bucket_starts
from query_service.query.ranges import DateRange, InstantRange
from query_service.query.timeseries import TimeseriesQuery

FRESH = Freshness(datetime(2026, 11, 20, 12, tzinfo=UTC), None, 0, None, False)


def day_of_hours(zone: str, day: date) -> InstantRange:
    return InstantRange(*DateRange(day, day + timedelta(days=1), ZoneInfo(zone)).instants, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 8), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Asia/Kathmandu", date(2026, 3, 8), 24),
        ("Asia/Tehran", date(2026, 3, 21), 24),
        ("Pacific/Kiritimati", date(2026, 3, 8), 24),
    ],
)
def test_a_day_has_the_hours_of_its_zones_clock(zone: str, day: date, hours: int) -> None:
    starts = hour_starts(day_of_hours(zone, day))
    assert len(starts) == hours
    assert {start.astimezone(ZoneInfo(zone)).minute for start in starts} == {0}
    assert {start.astimezone(ZoneInfo(zone)).date() for start in starts} == {day}


def test_a_clock_change_of_half_an_hour_leaves_full_hours() -> None:
    zone = "Australia/Lord_Howe"
    for day in (date(2026, 4, 5), date(2026, 10, 4)):
        assert {at.astimezone(ZoneInfo(zone)).minute for at in hour_starts(day_of_hours(zone, day))} == {0}


@pytest.mark.parametrize(
    ("day", "part_begins", "hour_begins"),
    [(date(2026, 4, 5), (4, 14, 30), "T01:00:00+11:00"), (date(2026, 10, 4), (3, 15, 0), "T01:00:00+10:30")],
)
def test_the_half_hour_after_such_a_change_counts_with_the_hour_before(
    day: date, part_begins: tuple[int, int, int], hour_begins: str
) -> None:
    """The mart's full hour that names the half one is no start of this answer's periods."""
    hours = day_of_hours("Australia/Lord_Howe", day)
    begins = datetime(day.year, day.month, *part_begins, tzinfo=UTC)
    query = TimeseriesQuery(Tenant("shop", hours.time_zone), hours)
    found = [{"timestamp": begins, "value": 5}, {"timestamp": begins - timedelta(minutes=30), "value": 2}]
    values = {row["timestamp"][10:]: row["value"] for row in timeseries_answer(query, Result(found, FRESH)).data}
    assert (values[hour_begins], sum(values.values())) == (7, 7)


def test_a_day_whose_midnight_is_skipped_starts_at_its_first_instant() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    [start] = bucket_starts(DateRange(date(2026, 4, 24), date(2026, 4, 25), cairo), "day")
    assert start.astimezone(cairo).isoformat() == "2026-04-24T01:00:00+03:00"


def test_the_hour_that_occurs_twice_is_two_rows() -> None:
    hours = day_of_hours("America/New_York", date(2026, 11, 1))
    query = TimeseriesQuery(Tenant("shop", hours.time_zone), hours)
    second = {"timestamp": datetime(2026, 11, 1, 6, tzinfo=UTC), "value": 5}
    rows = timeseries_answer(query, Result([second], FRESH)).data
    assert [row for row in rows if "T01:" in row["timestamp"]] == [
        {"timestamp": "2026-11-01T01:00:00-04:00", "value": 0},
        {"timestamp": "2026-11-01T01:00:00-05:00", "value": 5},
    ]


def test_a_full_page_says_where_the_next_one_starts() -> None:
    rows = [{"date": date(2026, 11, day), "source": "all", "event_name": "all"} for day in (1, 2, 3)]
    days = DateRange(date(2026, 11, 1), date(2026, 11, 4), ZoneInfo("UTC"))
    query = DailyQuery(Tenant("shop", days.time_zone), days, limit=2)
    answer = daily_answer(query, Result(rows, FRESH))
    assert answer.data == rows[:2]
    assert answer.meta.next_cursor == Cursor(date(2026, 11, 2), "all", "all").encode()
    assert daily_answer(query, Result(rows[:2], FRESH)).meta.next_cursor is None


def test_weeks_add_their_days_up_and_are_cut_off_by_the_range() -> None:
    days = DateRange(date(2026, 11, 4), date(2026, 11, 12), ZoneInfo("UTC"))
    query = TimeseriesQuery(Tenant("shop", days.time_zone), days, granularity="week")
    found = [{"date": date(2026, 11, day), "value": 1} for day in range(4, 12)]
    rows = timeseries_answer(query, Result(found, FRESH)).data
    assert [(row["timestamp"][:10], row["value"]) for row in rows] == [("2026-11-04", 5), ("2026-11-09", 3)]
