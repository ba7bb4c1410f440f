"""Cohorts and retention: the golden cases, calendars, and a plain-Python reference."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmill.analysis import retention
from eventmill.analysis.cohorts import CohortDefinition
from eventmill.analysis.filters import Condition, EventFilter, Op
from eventmill.analysis.local_days import Calendar
from eventmill.analysis.retention import Cell, CohortResult

SIGNUP, LOGIN = EventFilter("signup"), EventFilter("login")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Happened:
    """An event."""

    actor: str
    at: datetime
    event_type: str = "signup"
    is_bot: bool = False
    properties: str = "{}"
    app_id: str = "shop"


@cache
def database() -> duckdb.DuckDBPyConnection:
    """One database for all: a new one costs more than a computation."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set TimeZone = 'UTC'")
    return connection


def computed(
    events: Iterable[Happened],
    definition: CohortDefinition,
    through: datetime,
    *,
    zone: ZoneInfo = ZoneInfo("UTC"),  # noqa: B008 - a constant
    week_start: int = 1,
    firsts: Iterable[tuple[str, str, datetime]] = (),
) -> CohortResult:
    """The cohort over these events; `firsts` are (actor, event_type, first_at) known from before raw history."""
    connection = database()
    names = ("app_id", "actor", "event_type", "event_time", "is_bot", "properties")
    rows = [(one.app_id, one.actor, one.event_type, one.at, one.is_bot, one.properties) for one in events]
    types = [pa.string(), pa.string(), pa.string(), pa.timestamp("us", "UTC"), pa.bool_(), pa.string()]
    actor_events = pa.table(
        [pa.array([row[i] for row in rows], types[i]) for i in range(len(names))], names=list(names)
    )
    connection.register("actor_events", actor_events)
    known = list(firsts)
    actor_first = pa.table(
        {
            "app_id": pa.array(["shop"] * len(known), pa.string()),
            "actor": pa.array([actor for actor, _, _ in known], pa.string()),
            "event_type": pa.array([event_type for _, event_type, _ in known], pa.string()),
            "is_human": pa.array([True] * len(known), pa.bool_()),
            "first_at": pa.array([at for _, _, at in known], pa.timestamp("us", "UTC")),
        }
    )
    connection.register("actor_first", actor_first)
    return retention.compute(
        connection, definition, Calendar(zone, week_start), app_id="shop", complete_through=through
    )


def cells(
    result: CohortResult, interval: str, mode: str = "on", recurrence: str = "first_time"
) -> dict[tuple[date, int], tuple[int, int, bool]]:
    """Size, returned and incomplete of each cell of one table, by date and offset."""
    return {
        (cell.cohort_date, cell.period_offset): (cell.cohort_size, cell.returning_users, cell.is_incomplete)
        for cell in result.cells
        if (cell.interval_kind, cell.mode, cell.recurrence) == (interval, mode, recurrence)
    }


def same(event: EventFilter = SIGNUP) -> CohortDefinition:
    return CohortDefinition(event, event)


def test_the_average_is_pooled_over_people_not_over_rows() -> None:
    first, second = date(2026, 3, 2), date(2026, 3, 9)
    rows = [Cell("week", "on", "first_time", first, 1, 1000, 500, is_incomplete=False)]
    rows += [Cell("week", "on", "first_time", second, 1, 500, 400, is_incomplete=False)]
    rows += [Cell("week", "on", "first_time", date(2026, 3, 16), 1, 900, 0, is_incomplete=True)]
    assert CohortResult(2400, 0, rows).retention_rate == 60.0


def test_a_week_of_which_nobody_returned_counts_in_the_average() -> None:
    events = [Happened("u1", MONDAY), Happened("u1", MONDAY + 7 * DAY), Happened("u2", MONDAY + 7 * DAY)]
    assert computed(events, same(), MONDAY + 21 * DAY).retention_rate == 50.0


def test_without_a_complete_week_there_is_no_rate() -> None:
    assert computed([Happened("u1", MONDAY)], same(), MONDAY + 8 * DAY).retention_rate is None


def test_with_the_same_start_and_return_event_everybody_is_there_in_period_0() -> None:
    events = [Happened("u1", MONDAY), Happened("u2", MONDAY + HOUR)]
    assert cells(computed(events, same(), MONDAY + DAY), "day")[date(2026, 3, 2), 0] == (2, 2, False)


def test_with_another_return_event_only_what_comes_strictly_later_counts() -> None:
    events = [Happened(actor, MONDAY) for actor in ("u1", "u2", "u3")]
    events += [Happened("u1", MONDAY, "login"), Happened("u2", MONDAY - HOUR, "login")]
    events += [Happened("u3", MONDAY + timedelta(microseconds=1), "login")]
    found = computed(events, CohortDefinition(SIGNUP, LOGIN), MONDAY + DAY)
    assert cells(found, "day")[date(2026, 3, 2), 0] == (3, 1, False)
    assert cells(found, "day", "on_or_after")[date(2026, 3, 2), 0] == (3, 1, False)


def test_any_event_can_be_the_return() -> None:
    events = [Happened("u1", MONDAY), Happened("u1", MONDAY + DAY, "click")]
    found = computed(events, CohortDefinition(SIGNUP, None), MONDAY + 3 * DAY)
    assert cells(found, "day")[date(2026, 3, 2), 1] == (1, 1, False)


def test_first_time_is_the_first_event_ever_not_the_first_in_range() -> None:
    events = [Happened("u1", MONDAY), Happened("u1", MONDAY + 7 * DAY), Happened("u2", MONDAY + 7 * DAY)]
    definition = replace(same(), start=date(2026, 3, 9))
    found = computed(events, definition, MONDAY + 8 * DAY)
    assert found.user_count == 2
    assert cells(found, "day")[date(2026, 3, 9), 0][0] == 1
    assert cells(found, "day", recurrence="recurring")[date(2026, 3, 9), 0][0] == 2


def test_first_events_are_known_from_before_raw_history() -> None:
    events = [Happened("u1", MONDAY + 7 * DAY)]
    found = computed(events, same(), MONDAY + 8 * DAY, firsts=[("u1", "signup", MONDAY)])
    assert cells(found, "week") == {
        (date(2026, 3, 2), 0): (1, 0, False),
        (date(2026, 3, 2), 1): (1, 1, True),
    }


def test_a_cohort_can_ask_for_several_events() -> None:
    events = [Happened("u1", MONDAY), Happened("u1", MONDAY + HOUR), Happened("u2", MONDAY)]
    assert computed(events, replace(same(), at_least=2), MONDAY + DAY).user_count == 1


def test_a_cohort_can_ask_for_properties() -> None:
    pro = EventFilter("signup", None, (Condition(Op.IS, "properties.plan", ("pro",)),))
    events = [Happened("u1", MONDAY, properties='{"plan": "pro"}'), Happened("u2", MONDAY)]
    assert computed(events, same(pro), MONDAY + DAY).user_count == 1


def test_bots_are_left_out_unless_asked_for() -> None:
    events = [Happened("u1", MONDAY), Happened("a2", MONDAY, is_bot=True)]
    assert computed(events, same(), MONDAY + DAY).user_count == 1
    assert computed(events, replace(same(), include_bots=True), MONDAY + DAY).user_count == 2


def test_other_apps_are_left_out() -> None:
    assert computed([Happened("u1", MONDAY, app_id="blog")], same(), MONDAY + DAY).user_count == 0


def test_visitors_known_by_an_id_of_one_day_are_left_out_and_counted_apart() -> None:
    events = [Happened("u1", MONDAY), Happened("adaily-0123456789abcdef0123456789abcdef", MONDAY)]
    found = computed(events, same(), MONDAY + DAY)
    assert (found.user_count, found.daily_visitors) == (1, 1)
    assert cells(found, "day")[date(2026, 3, 2), 0][0] == 1


def test_a_period_that_is_not_over_is_incomplete() -> None:
    found = cells(computed([Happened("u1", MONDAY)], same(), MONDAY + 9 * DAY), "week")
    assert found == {(date(2026, 3, 2), 0): (1, 1, False), (date(2026, 3, 2), 1): (1, 0, True)}


def test_days_are_those_of_the_zone_across_the_change_of_clocks() -> None:
    # 8 March 2026 has 23 hours in New York: 24 hours after 23:30 of the 7th it is already the 9th.
    late = datetime(2026, 3, 7, 23, 30, tzinfo=NEW_YORK).astimezone(UTC)
    events = [Happened("u1", late), Happened("u1", late + 24 * HOUR)]
    found = cells(computed(events, same(), late + 48 * HOUR, zone=NEW_YORK), "day")
    assert found[date(2026, 3, 7), 1][1] == 0
    assert found[date(2026, 3, 7), 2][1] == 1


def test_weeks_start_on_the_apps_day_and_months_differ_in_length() -> None:
    sunday = datetime(2026, 3, 1, 12, tzinfo=UTC)
    events = [Happened("u1", sunday - DAY), Happened("u1", sunday)]
    found = computed(events, same(), sunday + HOUR, week_start=7)
    assert cells(found, "week")[date(2026, 2, 22), 1] == (1, 1, True)
    assert cells(found, "month")[date(2026, 2, 1), 1] == (1, 1, True)


def expected_cell(
    events: list[Happened], definition: CohortDefinition, calendar: Calendar, wanted: Cell
) -> tuple[int, int]:
    """Size and returned people of one cell, straight from the definitions."""

    def matches(event: Happened, wanted_filter: EventFilter | None) -> bool:
        return not event.is_bot and (wanted_filter is None or event.event_type == wanted_filter.event_type)

    def number(at: datetime) -> int:
        return calendar.number(wanted.interval_kind, calendar.local_date(at))

    def is_in_range(at: datetime) -> bool:
        day = calendar.local_date(at)
        return (definition.start is None or day >= definition.start) and (
            definition.end is None or day < definition.end
        )

    cohort_no = calendar.number(wanted.interval_kind, wanted.cohort_date)
    size = returned = 0
    for actor in {event.actor for event in events}:
        starts = sorted(one.at for one in events if one.actor == actor and matches(one, definition.filter))
        if sum(map(is_in_range, starts)) < definition.at_least:
            continue
        candidates = starts[:1] if wanted.recurrence == "first_time" else starts
        entry = next((at for at in candidates if is_in_range(at) and number(at) == cohort_no), None)
        if entry is None:
            continue
        size += 1
        comes_back = [
            number(one.at) - cohort_no
            for one in events
            if one.actor == actor
            and matches(one, definition.return_event)
            and (one.at > entry or (definition.returns_by_start_event and one.at == entry))
        ]
        hits = [
            offset
            for offset in comes_back
            if offset == wanted.period_offset or (wanted.mode == "on_or_after" and offset > wanted.period_offset)
        ]
        returned += bool(hits)
    return size, returned


MOMENTS = st.integers(0, 45 * 24).map(lambda hours: datetime(2026, 2, 10, tzinfo=UTC) + hours * HOUR)
EVENTS = st.lists(
    st.builds(
        Happened,
        st.sampled_from(["u1", "a2", "s3", "u4"]),
        MOMENTS,
        st.sampled_from(["signup", "login"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
DEFINITIONS = st.builds(
    CohortDefinition,
    st.just(SIGNUP),
    st.sampled_from([SIGNUP, LOGIN, None]),
    st.sampled_from([None, date(2026, 2, 20)]),
    st.sampled_from([None, date(2026, 3, 9)]),
    st.integers(1, 2),
)


@settings(max_examples=20)
@given(EVENTS, DEFINITIONS, st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]), st.sampled_from([1, 7]))
def test_every_cell_is_what_the_definitions_say(
    events: list[Happened], definition: CohortDefinition, zone: str, week_start: int
) -> None:
    calendar = Calendar(ZoneInfo(zone), week_start)
    found = computed(events, definition, datetime(2026, 4, 1, tzinfo=UTC), zone=calendar.zone, week_start=week_start)
    for cell in found.cells:
        if cell.interval_kind != "day" or cell.period_offset < 20:
            expected = expected_cell(events, definition, calendar, cell)
            assert (cell.cohort_size, cell.returning_users) == expected, cell
    after = [one for one in found.cells if one.mode == "on_or_after"]
    for earlier, later in itertools.pairwise(after):
        assert later.period_offset == 0 or later.returning_users <= earlier.returning_users


def test_periods_without_people_have_no_row_and_zeros_are_shown() -> None:
    found = cells(computed([Happened("u1", MONDAY)], same(), MONDAY + 3 * DAY), "day")
    assert found == {(date(2026, 3, 2), offset): (1, int(offset == 0), offset == 3) for offset in range(4)}


def test_a_calendar_counts_every_period_once() -> None:
    calendar = Calendar(ZoneInfo("Pacific/Kiritimati"), 3)
    days = [date(2025, 12, 1) + number * DAY for number in range(100)]
    for interval in ("day", "week", "month"):
        numbers = [calendar.number(interval, day) for day in days]
        assert all(0 <= later - earlier <= 1 for earlier, later in itertools.pairwise(numbers))
        assert all(calendar.number(interval, calendar.start(interval, number)) == number for number in numbers)
        assert all(calendar.start(interval, calendar.number(interval, day)) <= day for day in days)


def test_a_day_that_a_zone_left_out_is_none() -> None:
    table = Calendar(ZoneInfo("Pacific/Apia")).table(date(2011, 12, 29), date(2011, 12, 31))
    assert table["local_date"].to_pylist() == [date(2011, 12, 29), date(2011, 12, 31)]


def test_history_from_the_beginning_of_the_calendar_breaks_no_cohort() -> None:
    ancient = Happened("u1", datetime(1, 1, 1, tzinfo=UTC))
    found = computed([ancient, Happened("u2", MONDAY)], same(), MONDAY + DAY, zone=NEW_YORK)
    assert cells(found, "day")[date(2026, 3, 1), 0] == (1, 1, False)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tehran", "America/Santiago"])
def test_the_table_of_days_has_each_day_once_and_ascends(zone: str) -> None:
    table = Calendar(ZoneInfo(zone)).table(date(2025, 1, 1), date(2026, 12, 31))
    starts = table["starts_at"].to_pylist()
    assert table.num_rows == 730
    assert starts == sorted(set(starts))
