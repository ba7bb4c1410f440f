"""An hour beside the same hour of the weeks before."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.anomaly import counted_by, is_news, judge, same_hours
from analytics_pipeline.lib.calendar import Period

NEW_YORK = ZoneInfo("America/New_York")


def hour(start: datetime, zone: ZoneInfo = NEW_YORK) -> Period:
    return next(calendar.hours_meeting("shop", zone, start, start + timedelta(minutes=1)))


def a_week_before(current: Period) -> datetime | None:
    last = same_hours(current, NEW_YORK)[0]
    return None if last is None else last.start


def test_no_change_in_percent_can_be_told_where_the_earlier_count_is_zero() -> None:
    judgement = judge(50, [0, 40, 40, 40])
    assert (judgement.previous, judgement.change_pct) == (0, None)


def test_the_change_is_against_last_week_and_the_deviation_against_four() -> None:
    judgement = judge(300, [200, 100, 120, 80])
    assert (judgement.change_pct, judgement.expected) == (50, 110)
    # |200 - 110|, 10, 10, 30 in order: 10, 10, 30, 90, whose middle is 20.
    assert judgement.deviation == pytest.approx(1.4826 * 20)
    assert judgement.is_anomaly


@pytest.mark.parametrize(("current", "is_anomaly"), [(198, False), (199, True), (22, False), (21, True)])
def test_three_robust_deviations_are_usual_and_more_is_not(current: int, is_anomaly: bool) -> None:
    # 110 ± 3 × 29.65: from 21.04 to 198.96.
    assert judge(current, [200, 100, 120, 80]).is_anomaly is is_anomaly


@pytest.mark.parametrize(("current", "is_anomaly"), [(130, False), (131, True), (70, False), (69, True)])
def test_equal_weeks_leave_the_noise_of_counting(current: int, is_anomaly: bool) -> None:
    judgement = judge(current, [100, 100, 100, 100])
    assert (judgement.deviation, judgement.is_anomaly) == (10, is_anomaly)


@pytest.mark.parametrize(("current", "is_anomaly"), [(104, False), (105, True)])
def test_weeks_that_differ_a_little_leave_no_room_for_more(current: int, is_anomaly: bool) -> None:
    # 100 ± 3 × 1.4826 × 1: the noise of counting would be 10.
    judgement = judge(current, [101, 99, 101, 99])
    assert (judgement.deviation, judgement.is_anomaly) == (pytest.approx(1.4826), is_anomaly)


@pytest.mark.parametrize(
    "before", [[1000, None, None, None], [29, 29, 29, 29], [None, None, None, None]], ids=["weeks", "events", "none"]
)
def test_one_week_or_fewer_than_thirty_expected_events_flag_nothing(before: list[float | None]) -> None:
    assert not judge(100_000, before).is_anomaly
    assert not judge(0, before).is_anomaly


def test_two_weeks_of_thirty_events_are_enough() -> None:
    assert judge(1000, [30, 30, None, None]).is_anomaly


def test_the_same_local_hour_is_compared_across_a_clock_change() -> None:
    # 9 o'clock in New York on 10 March 2026, after the clocks went forward on the 8th.
    current = hour(datetime(2026, 3, 10, 13, tzinfo=UTC))
    weeks = same_hours(current, NEW_YORK)
    assert [week and week.start for week in weeks] == [
        datetime(2026, 3, 3, 14, tzinfo=UTC),
        datetime(2026, 2, 24, 14, tzinfo=UTC),
        datetime(2026, 2, 17, 14, tzinfo=UTC),
        datetime(2026, 2, 10, 14, tzinfo=UTC),
    ]


def test_an_hour_that_clocks_skipped_is_not_compared_with() -> None:
    current = hour(datetime(2026, 3, 15, 6, 30, tzinfo=UTC))
    assert current.local_hour == 2
    weeks = same_hours(current, NEW_YORK)
    assert weeks[0] is None
    assert weeks[1] is not None


def test_of_an_hour_that_occurred_twice_the_one_of_the_same_offset_is_taken() -> None:
    # One o'clock came twice on 1 November 2026; a week later clocks show standard time.
    current = hour(datetime(2026, 11, 8, 6, tzinfo=UTC))
    assert a_week_before(current) == datetime(2026, 11, 1, 6, tzinfo=UTC)
    first, second = hour(datetime(2026, 11, 1, 5, tzinfo=UTC)), hour(datetime(2026, 11, 1, 6, tzinfo=UTC))
    before = datetime(2026, 10, 25, 5, tzinfo=UTC)
    for one in (first, second):
        assert a_week_before(one) == before


def test_a_zone_of_half_hours_keeps_its_hours() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")
    current = hour(datetime(2026, 5, 12, 14, 20, tzinfo=UTC), kathmandu)
    weeks = same_hours(current, kathmandu)
    assert [week and current.start - week.start for week in weeks] == [timedelta(weeks=n) for n in range(1, 5)]


def test_part_of_an_hour_is_counted_to_the_second() -> None:
    minutes = [60, 30, *[0] * 58]
    assert counted_by(minutes, timedelta(seconds=90)) == 75
    assert counted_by(minutes, timedelta(hours=1)) == 90


@pytest.mark.parametrize(
    ("current", "expected", "news"), [(140, 100, False), (141, 100, True), (59, 100, True), (5, 30, True)]
)
def test_a_number_is_news_further_than_four_roots_from_the_expected_one(
    current: float, expected: float, news: bool
) -> None:
    assert is_news(current, expected) is news
