"""Periods of a question are those that the pipeline counts, in every zone and across every change of its clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_pipeline.lib import calendar
from query_service.query.catalog import Grain
from query_service.query.periods import bucket_starts, is_whole
from query_service.query.ranges import DateRange, InstantRange

ZONES = [
    *("UTC", "Asia/Kathmandu", "Asia/Tehran", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"),
    *("Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "Europe/Berlin", "America/St_Johns"),
]
GRAINS: tuple[Grain, ...] = ("hour", "day", "week", "month")


@given(
    st.sampled_from(ZONES),
    st.sampled_from(GRAINS),
    st.dates(date(2005, 1, 1), date(2027, 1, 1)),
    st.integers(1, 45),
    st.integers(1, 7),
)
def test_whole_periods_begin_where_the_pipeline_s_do(
    zone: str, grain: Grain, first: date, days: int, week_start: int
) -> None:
    asked = DateRange(first, first + timedelta(days=days), ZoneInfo(zone))
    start, end = asked.instants
    if start == end:  # a day that the zone left out
        return
    periods = list(calendar.meeting(grain, "shop", asked.time_zone, start, end, week_start))
    starts = bucket_starts(asked, grain, week_start)
    # The range cuts the first period off.
    assert starts[1:] == tuple(period.start for period in periods[1:])
    assert starts[0] == start
    whole = (periods[0].start, periods[-1].end) == (start, end)
    assert is_whole(asked, grain, week_start) == whole


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Asia/Kathmandu", date(2026, 3, 8), 24),
        # Half an hour: one of its hours is cut in two.
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),
    ],
)
def test_a_day_has_its_hours(zone: str, day: date, hours: int) -> None:
    asked = DateRange(day, day + timedelta(days=1), ZoneInfo(zone))
    assert len(bucket_starts(asked, "hour")) == hours


def test_minutes_begin_with_the_range() -> None:
    start = datetime(2026, 11, 20, 10, 59, 30, tzinfo=UTC)
    asked = InstantRange(start, start + timedelta(minutes=2), ZoneInfo("UTC"))
    assert [at.isoformat()[14:19] for at in bucket_starts(asked, "minute")] == ["59:30", "00:00", "01:00"]
