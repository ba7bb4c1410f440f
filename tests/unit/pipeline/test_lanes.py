"""Dirty periods become few requests for runs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from analytics_pipeline.lib import lanes, period_tables
from analytics_pipeline.lib.period_tables import HOURLY, Cause

NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Dirty:
    start: datetime
    grain: str = "hour"
    table_name: str = "metric"
    wanted_version: int = 7
    computed_at: datetime | None = None
    dirty_since: datetime = NOW
    late_pending: int = 0
    cause: Cause = "late_events"
    is_below_floor: bool = False

    @property
    def local_date(self) -> date:
        return self.start.date()

    @property
    def end(self) -> datetime:
        return self.start + (HOUR if self.grain == "hour" else timedelta(days=1))


def hour(*arguments: int) -> datetime:
    return datetime(*arguments, tzinfo=UTC)


def test_everything_that_is_open_is_one_request() -> None:
    dirty = [Dirty(hour(2026, 5, 12, 14)), Dirty(hour(2026, 5, 12), grain="day")]
    (request,) = lanes.plan(dirty, NOW)
    assert (request.asset, request.lane, request.first) == ("hourly_metric", "open", hour(2026, 5, 12, 14))


def test_an_open_day_without_an_open_hour_asks_for_the_running_hour() -> None:
    (request,) = lanes.plan([Dirty(hour(2026, 5, 12), grain="day")], NOW)
    assert (request.lane, request.first, request.last) == ("open", hour(2026, 5, 12, 14), hour(2026, 5, 12, 14))


def test_an_hour_that_has_not_begun_is_asked_for_by_the_running_one() -> None:
    """Clients whose clocks are ahead fill it, but it has no partition yet."""
    (request,) = lanes.plan([Dirty(hour(2026, 5, 12, 14)), Dirty(hour(2026, 5, 12, 15))], NOW)
    assert (request.first, request.last) == (hour(2026, 5, 12, 14), hour(2026, 5, 12, 14))


def test_closed_hours_near_each_other_are_one_range() -> None:
    dirty = [Dirty(hour(2026, 5, 10, number), wanted_version=number) for number in (3, 4, 8)]
    assert lanes.plan(dirty, NOW) == [
        lanes.Request(HOURLY, "closed", hour(2026, 5, 10, 3), hour(2026, 5, 10, 8), wanted_version=8)
    ]


def test_closed_hours_far_apart_are_ranges_of_their_own() -> None:
    dirty = [Dirty(hour(2026, 5, 1, 3)), Dirty(hour(2026, 5, 10, 3))]
    assert [request.first for request in lanes.plan(dirty, NOW)] == [hour(2026, 5, 1, 3), hour(2026, 5, 10, 3)]


def test_a_long_range_is_cut_after_a_week() -> None:
    dirty = [Dirty(hour(2026, 4, 1) + number * HOUR) for number in range(400)]
    requests = lanes.plan(dirty, NOW)
    assert [(request.last - request.first) // HOUR + 1 for request in requests] == [168, 168, 64]


def test_closed_days_are_dates_of_the_daily_asset() -> None:
    dirty = [Dirty(hour(2026, 5, number, 10), grain="day") for number in (1, 2, 5)]
    assert [(request.asset, request.first, request.last) for request in lanes.plan(dirty, NOW)] == [
        ("daily_metric", hour(2026, 5, 1), hour(2026, 5, 2)),
        ("daily_metric", hour(2026, 5, 5), hour(2026, 5, 5)),
    ]


BEFORE = NOW - timedelta(days=1)


def is_due(**fields: Any) -> bool:
    return bool(lanes.plan([Dirty(**fields)], NOW))


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are among the tables that are computed."""
    monkeypatch.setattr(period_tables, "PERIOD_TABLES", (HOURLY, period_tables.SESSIONS, period_tables.WEEKLY))


@pytest.mark.parametrize(
    ("day", "minutes_ago", "pending", "expected"),
    [
        pytest.param(12, 4, 0, False, id="a running day was computed just now"),
        pytest.param(12, 5, 0, True, id="a running day is computed every five minutes"),
        pytest.param(11, 14, 0, False, id="yesterday waits a quarter of an hour"),
        pytest.param(11, 15, 0, True, id="yesterday is computed every quarter of an hour"),
        pytest.param(10, 15, 0, False, id="an older neighbour waits an hour"),
        pytest.param(10, 60, 0, True, id="an older neighbour is computed hourly"),
        pytest.param(2, 4, 1, False, id="late events of its own wait for more"),
        pytest.param(2, 5, 1, True, id="late events of its own wait five minutes"),
    ],
)
@pytest.mark.usefixtures("sessions")
def test_sessions_of_a_day_wait_as_long_as_few_look_at_them(
    day: int, minutes_ago: int, pending: int, expected: bool
) -> None:
    then = NOW - timedelta(minutes=minutes_ago)
    start = hour(2026, 5, day)
    fields: dict[str, Any] = {"start": start, "grain": "day", "table_name": "sessions", "late_pending": pending}
    assert is_due(**fields, computed_at=then, dirty_since=then) == expected


@pytest.mark.usefixtures("sessions")
def test_sessions_that_were_never_computed_do_not_wait() -> None:
    assert is_due(start=hour(2026, 5, 1), grain="day", table_name="sessions")


@pytest.mark.usefixtures("sessions")
def test_weeks_are_asked_for_by_their_monday() -> None:
    dirty = Dirty(hour(2026, 5, 10), grain="week")
    (request,) = lanes.plan([dirty], NOW)
    assert (request.asset, request.lane, request.first) == ("weekly_metric", "long", hour(2026, 5, 4))


@pytest.mark.parametrize(("count", "expected"), [(20, 20), (21, 0)])
def test_closed_hours_are_computed_at_once_unless_they_are_many(count: int, expected: int) -> None:
    dirty = [Dirty(hour(2026, 4, 1) + number * DAY, computed_at=BEFORE) for number in range(count)]
    assert len(lanes.plan(dirty, NOW)) == expected


def test_many_closed_hours_wait_a_minute_for_more_late_events() -> None:
    then = NOW - timedelta(minutes=1)
    dirty = [Dirty(hour(2026, 4, 1) + number * DAY, computed_at=BEFORE, dirty_since=then) for number in range(30)]
    assert len(lanes.plan(dirty, NOW)) == 30


@pytest.mark.parametrize("cause", ["definition", "backfill", "erasure"])
def test_what_somebody_waits_for_does_not_wait_for_more(cause: Cause) -> None:
    dirty = [Dirty(hour(2026, 4, 1) + number * DAY, computed_at=BEFORE, cause=cause) for number in range(30)]
    assert len(lanes.plan(dirty, NOW)) == 30


@pytest.mark.parametrize(("minutes_ago", "pending", "expected"), [(59, 0, 0), (60, 0, 30), (59, 1, 30)])
def test_sign_ups_ask_for_the_same_closed_hours_once_an_hour(minutes_ago: int, pending: int, expected: int) -> None:
    then = NOW - timedelta(minutes=minutes_ago)
    dirty = [
        Dirty(
            hour(2026, 4, 1) + number * DAY, computed_at=then, dirty_since=then, cause="identity", late_pending=pending
        )
        for number in range(30)
    ]
    assert len(lanes.plan(dirty, NOW)) == expected


def test_what_starts_before_the_lake_floor_is_never_asked_for() -> None:
    assert not is_due(start=hour(2026, 4, 1), is_below_floor=True)


def test_tables_that_this_version_does_not_compute_are_passed_over() -> None:
    assert not is_due(start=hour(2026, 4, 1), grain="day", table_name="a table of a newer version")
