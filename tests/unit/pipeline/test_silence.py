"""Silence: three usual gaps without an event, a quarter of an hour at least, counted where events are usual."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_pipeline.lib.silence import is_silent, usual_events

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MONDAY_NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)


def always(events: int, until: datetime = MONDAY_NOON, weeks: int = 4) -> dict[datetime, int]:
    """The same number of events in every hour."""
    return {until - number * HOUR: events for number in range(weeks * 7 * 24 + 1)}


@pytest.mark.parametrize(
    ("events", "minutes"),
    [
        (3600, 15),  # a gap of a second: the quarter of an hour decides
        (12, 15),  # 5 minutes, three of which are the quarter of an hour
        (6, 30),
        (1, 180),
    ],
)
def test_an_app_is_silent_after_three_usual_gaps_and_not_before(events: int, minutes: int) -> None:
    received, last = always(events), MONDAY_NOON
    assert not is_silent(received, last, last + timedelta(minutes=minutes, seconds=-1))
    assert is_silent(received, last, last + timedelta(minutes=minutes))


def test_the_hour_of_the_weekday_decides_and_not_the_hour_before() -> None:
    received = always(1)
    for number in range(1, 5):
        received[MONDAY_NOON - number * WEEK] = 3600
    assert is_silent(received, MONDAY_NOON, MONDAY_NOON + timedelta(minutes=15))
    assert not is_silent(received, MONDAY_NOON + HOUR, MONDAY_NOON + HOUR + timedelta(minutes=15))


def test_one_odd_week_does_not_move_the_median() -> None:
    received = always(6)
    received[MONDAY_NOON - WEEK] = 100_000
    assert usual_events(received, MONDAY_NOON, MONDAY_NOON) == 6
    assert not is_silent(received, MONDAY_NOON, MONDAY_NOON + timedelta(minutes=20))


def test_a_shop_that_is_closed_at_night_is_not_silent_in_the_morning() -> None:
    received = {hour: events for hour, events in always(600, MONDAY_NOON + 12 * HOUR).items() if 9 <= hour.hour < 18}
    last = datetime(2026, 5, 10, 17, 59, tzinfo=UTC)
    opens = datetime(2026, 5, 11, 9, tzinfo=UTC)
    known = {hour: events for hour, events in received.items() if hour <= last}
    assert not is_silent(known, last, opens + timedelta(minutes=13))
    assert is_silent(known, last, opens + timedelta(minutes=14))


def test_a_young_app_is_measured_by_its_days_and_on_its_first_day_by_its_hours() -> None:
    first = MONDAY_NOON - 3 * DAY
    days = {at: 60 if at.hour == 12 else 1 for at in always(0) if at >= first}
    assert usual_events(days, MONDAY_NOON, MONDAY_NOON) == 60
    hours = {MONDAY_NOON - 2 * HOUR: 10, MONDAY_NOON - HOUR: 30, MONDAY_NOON: 20}
    assert usual_events(hours, MONDAY_NOON + HOUR, MONDAY_NOON) == 20


def test_a_few_events_a_day_are_usual_too() -> None:
    received = {hour: 1 for hour in always(0) if hour.hour in {3, 12}}
    last = MONDAY_NOON
    assert not is_silent(received, last, last + DAY)
    assert is_silent(received, last, last + 3 * DAY)


def test_a_silence_longer_than_the_memory_is_still_one() -> None:
    received = {MONDAY_NOON - number * HOUR: 1 for number in range(3)}
    assert is_silent(received, MONDAY_NOON, MONDAY_NOON + 300 * DAY)


def test_an_app_that_only_imported_is_not_silent() -> None:
    received = {MONDAY_NOON: 100_000, MONDAY_NOON + HOUR: 5_000}
    assert not is_silent(received, MONDAY_NOON + HOUR, MONDAY_NOON + 90 * DAY)
