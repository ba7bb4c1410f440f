"""What a server sends counts in the session that it joins, in every hour and day, wherever that session began."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_pipeline.engines import days, exact
from analytics_pipeline.lib import calendar
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.stores import day_tables, dirty_periods
from eventmill.lake import SESSIONS, LakeTable
from tests import oracle
from tests.lake_of import NOW, Clock, HandMadeLake, Row, event
from tests.metric_cells import cells_of

pytestmark = pytest.mark.integration
UTC = ZoneInfo("UTC")
# Everything before it is closed.
LATER = NOW + timedelta(days=4)
HOUR = NOW.replace(hour=8, minute=0)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BEFORE = HOUR - timedelta(hours=1)
NEW_YORK = ZoneInfo("America/New_York")
ZONE = {"shop": NEW_YORK}
BEFORE_CLOCKS_CHANGE = [datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 10, 31, 4, tzinfo=UTC)]


def sent(event_id: str, at: datetime, source: str = "web", **fields: object) -> Row:
    received_at = fields.pop("received_at", at)
    return event(event_id, at, source=source, session_id="s", anonymous_id="a", received_at=received_at, **fields)


@pytest.fixture
def compute(refresher: Refresher, connection: psycopg.Connection, clock: Clock) -> Callable[..., None]:
    """Computes the sessions of the day and the day before, and then the day and its hours."""
    clock.now = LATER

    def compute(*, with_sessions: bool = True) -> None:
        yesterday, today = (calendar.day("shop", UTC, HOUR.date() - days * DAY) for days in (1, 0))
        if with_sessions:
            refresh_days(refresher, [yesterday, today])
        refresher.refresh([today, *calendar.hours_meeting("shop", UTC, today.start, today.end)])

    return compute


def sessions(connection: psycopg.Connection, grain: str, start: datetime, traffic: str = "human") -> dict[str, int]:
    """Sessions of a period by source, the total under its own name."""
    rows = connection.execute(
        "select case dimension when 'total' then 'total' else value end, sessions from rollups.metric"
        " where app_id = 'shop' and grain = %s and period_start = %s and traffic = %s"
        " and dimension in ('total', 'source')",
        [grain, start, traffic],
    ).fetchall()
    return dict(rows)


def dirty_hours(connection: psycopg.Connection) -> set[datetime]:
    return {one.start for one in dirty_periods.dirty(connection) if (one.table_name, one.grain) == ("metric", "hour")}


SENT = st.fixed_dictionaries(
    {
        "minute": st.integers(0, 80 * 60),
        "source": st.sampled_from(["web", "server"]),
        "session_id": st.sampled_from(["s", "s", "t", None]),
        "anonymous_id": st.sampled_from(["a", "b"]),
        "is_bot": st.sampled_from([False, False, True]),
        "event_type": st.sampled_from(["page_view", "paid"]),
    }
)


@given(events=st.lists(SENT, min_size=4, max_size=25), start=st.sampled_from(BEFORE_CLOCKS_CHANGE))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_every_hour_and_day_counts_the_sessions_that_all_of_history_tells(
    events: list[dict[str, Any]], start: datetime, new_directory: Callable[[], Path]
) -> None:
    lake = HandMadeLake(new_directory())
    at = [start + one.pop("minute") * MINUTE for one in events]
    lake.append([event(f"e{number}", at[number], **one) for number, one in enumerate(events)])
    snapshot = lake.table.snapshot()
    dates = [calendar.day("shop", NEW_YORK, start.astimezone(NEW_YORK).date() + days * DAY) for days in range(-1, 5)]
    hours = [hour for day in dates for hour in calendar.hours_meeting("shop", NEW_YORK, day.start, day.end)]
    with duckdb.connect(config={"threads": 1}) as duck:
        days.compute(duck, snapshot, dates, ZONE)
        numbers = {(day.local_date, "shop"): number for number, day in enumerate(dates)}
        table = LakeTable(lake.directory, SESSIONS)
        day_tables.replace(table, [*numbers], lambda day: days.lake_rows(duck, SESSIONS, numbers[day]), 1)
        joins = days.server_joins(duck)
    with duckdb.connect(config={"threads": 1}) as duck:
        found = exact.metric_rows(duck, snapshot, [*dates, *hours])
    assert cells_of(found.rows) == oracle.metric(lake.rows, ZONE)
    counted_by = {([*dates, *hours])[index]: number for index, number in found.joins.numbers.items()}
    told = [period for day in dates for period in days.periods_of(day, ZONE)]
    assert counted_by == {told[index]: number for index, number in joins.items()}


def test_a_session_counts_in_an_hour_in_which_a_server_alone_sends_events_of_it(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    lake.append([sent("e1", HOUR - 5 * MINUTE), sent("e2", HOUR + 5 * MINUTE, "server", event_type="paid")])
    compute()
    assert sessions(connection, "hour", HOUR) == {"total": 1, "server": 1}
    assert sessions(connection, "hour", BEFORE) == {"total": 1, "web": 1}


def test_an_id_that_no_client_has_sent_is_no_session(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    lake.append([sent("e1", HOUR, "server")])
    compute()
    assert sessions(connection, "hour", HOUR) == {"total": 0, "server": 0}


def test_a_session_that_bots_opened_is_none_of_people(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    lake.append([sent("e1", HOUR - MINUTE, is_bot=True), sent("e2", HOUR, "server")])
    compute()
    assert sessions(connection, "hour", HOUR, "all") == {"total": 1, "server": 1}
    assert sessions(connection, "hour", HOUR) == {"total": 0, "server": 0}


def test_a_session_of_the_day_before_counts_on_a_day_in_which_a_server_alone_sends_events_of_it(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    midnight = HOUR.replace(hour=0)
    lake.append([sent("e1", midnight - MINUTE), sent("e2", midnight + MINUTE, "server")])
    compute()
    assert sessions(connection, "day", midnight) == {"total": 1, "server": 1}


def test_an_event_of_a_server_may_be_of_another_session_than_what_the_client_sends_in_the_same_day(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    """A client's id that lives for days: its sessions end at midnights, and the server's event is of yesterday's."""
    midnight = HOUR.replace(hour=0)
    visits = [midnight - timedelta(hours=hours) for hours in (50, 28, 10, -8)]
    lake.append([*(sent(f"e{at}", at) for at in visits), sent("s", midnight + MINUTE, "server")])
    compute()
    assert sessions(connection, "day", midnight) == {"total": 2, "server": 1, "web": 1}


@pytest.mark.parametrize("late", [HOUR + 20 * MINUTE, HOUR - timedelta(hours=11)], ids=["after it", "before it"])
def test_a_closed_hour_is_asked_for_where_a_late_event_opens_the_session_of_a_server_s_event(
    late: datetime,
    lake: HandMadeLake,
    compute: Callable[..., None],
    refresher: Refresher,
    connection: psycopg.Connection,
) -> None:
    at = HOUR - MINUTE
    lake.append([sent("e1", at, "server")])
    compute()
    lake.append([sent("e2", late, received_at=LATER)])
    refresh_days(refresher, [calendar.day("shop", UTC, HOUR.date() - days * DAY) for days in (1, 0)])
    assert BEFORE in dirty_hours(connection)
    compute()
    assert sessions(connection, "hour", BEFORE) == {"total": 1, "server": 1}


def test_hours_whose_servers_events_join_as_before_are_not_asked_for(
    lake: HandMadeLake, compute: Callable[..., None], refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([sent("e1", HOUR - MINUTE), sent("e2", HOUR, "server"), sent("e3", HOUR + MINUTE, "server")])
    compute()
    lake.append([sent("e4", HOUR + 5 * MINUTE)])
    refresh_days(refresher, [calendar.day("shop", UTC, HOUR.date())])
    assert dirty_hours(connection) == {HOUR}


def test_hours_that_are_counted_before_their_sessions_are_right_as_far_as_they_can_see(
    lake: HandMadeLake, compute: Callable[..., None], connection: psycopg.Connection
) -> None:
    lake.append([sent("e1", HOUR), sent("e2", HOUR + MINUTE, "server")])
    compute(with_sessions=False)
    assert sessions(connection, "hour", HOUR) == {"total": 1, "web": 1, "server": 1}


def test_hours_are_counted_again_whose_sessions_were_computed_while_they_were(
    lake: HandMadeLake,
    compute: Callable[..., None],
    refresher: Refresher,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake.append([sent("e1", HOUR - MINUTE), sent("e2", HOUR, "server")])
    really = exact.metric_rows

    def slowly(*arguments: Any) -> exact.Computed:
        found = really(*arguments)
        refresh_days(refresher, [calendar.day("shop", UTC, HOUR.date())])
        return found

    hours = list(calendar.hours_meeting("shop", UTC, HOUR, HOUR + MINUTE))
    with monkeypatch.context() as patched:
        patched.setattr(exact, "metric_rows", slowly)
        refresher.refresh(hours)
    assert sessions(connection, "hour", HOUR)["total"] == 0
    assert dirty_hours(connection) == {HOUR}
    refresher.refresh(hours)
    assert sessions(connection, "hour", HOUR)["total"] == 1
    assert dirty_hours(connection) == set()
