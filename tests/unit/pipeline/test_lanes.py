"""Dirty periods become few requests for runs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from analytics_pipeline.lib import lanes

NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Dirty:
    start: datetime
    grain: str = "hour"
    table_name: str = "metric"
    wanted_version: int = 7
    computed_at: datetime | None = None

    @property
    def local_date(self) -> date:
        return self.start.date()

    def is_open(self, now: datetime) -> bool:
        length = HOUR if self.grain == "hour" else timedelta(days=1)
        return now < self.start + length + timedelta(minutes=5)


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
        lanes.Request("hourly_metric", "closed", hour(2026, 5, 10, 3), hour(2026, 5, 10, 8), wanted_version=8)
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


def test_sessions_of_an_open_day_wait_five_minutes() -> None:
    today = {"start": hour(2026, 5, 12), "grain": "day", "table_name": "page_session"}
    just_now, before = NOW - timedelta(minutes=2), NOW - timedelta(minutes=6)
    assert lanes.plan([Dirty(**today, computed_at=just_now)], NOW) == []
    assert [request.lane for request in lanes.plan([Dirty(**today, computed_at=before)], NOW)] == ["sessions"]


def test_sessions_that_were_never_computed_do_not_wait() -> None:
    dirty = Dirty(hour(2026, 5, 12), grain="day", table_name="page_session")
    assert [request.asset for request in lanes.plan([dirty], NOW)] == ["page_session"]
