"""Sessions: golden cases of semantics.md, and any events against an independent sessionization."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics_pipeline.engines import sessions as engine
from analytics_pipeline.lib import calendar
from eventmill.analysis import relations
from eventmill.contracts.schema import EVENTS_SCHEMA
from tests import session_oracle

Row = dict[str, Any]
START = datetime(2026, 5, 12, 10, tzinfo=UTC)
GREENWICH, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("America/New_York")
ACTOR_EVENTS = pa.schema(
    [
        *EVENTS_SCHEMA,
        pa.field("place", pa.int64()),
        pa.field("actor", pa.string()),
        pa.field("actor_user_id", pa.string()),
        pa.field("is_view", pa.bool_()),
    ]
)
COLUMNS = [
    *("session_key", "session_id", "actor", "is_user", "started_at", "ended_at", "duration_seconds", "events", "views"),
    *("other_interactive_events", "is_bounce", "entry_page", "exit_page", *session_oracle.ENTRY),
    *("source", "app_version"),
]


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        relations.prepare(connection)
        yield connection


def at(seconds: float, **fields: Any) -> Row:
    """An event so many seconds after START."""
    return _complete({"event_time": START + timedelta(seconds=seconds)} | fields)


def _complete(fields: Row) -> Row:
    row: Row = {"app_id": "shop", "event_type": "page_view", "source": "web", "is_bot": False, "page_url": "/a"}
    row |= fields
    if not {"user_id", "anonymous_id", "session_id"} & fields.keys():
        row["anonymous_id"] = "x"
    row["event_name"] = row["event_type"]
    row["properties"] = "{}" if row.get("interactive", True) else json.dumps({"interactive": False})
    return row


def stored(events: list[Row]) -> list[Row]:
    """The events with their place in the stream and the actor behind them."""
    return [
        row
        | {
            "place": place,
            "actor": session_oracle.actor(row),
            "actor_user_id": row.get("user_id"),
            "is_view": row["event_type"] in {"page_view", "screen_view"},
        }
        for place, row in enumerate(events)
    ]


def found(
    duck: duckdb.DuckDBPyConnection, events: list[Row], zone: ZoneInfo, first: date, last: date
) -> list[tuple[date, Row]]:
    """Rows of `session_row` that begin on the dates from `first` to `last`, computed in one go."""
    days = [calendar.day("shop", zone, first + timedelta(days=number)) for number in range((last - first).days + 1)]
    duck.register("actor_events", pa.Table.from_pylist(stored(events), schema=ACTOR_EVENTS))
    engine.find_sessions(duck, days, engine.days_around(days, {"shop": zone}))
    rows = duck.sql("from session_row where period_id is not null").to_arrow_table().to_pylist()
    return [(days[row["period_id"]].local_date, row) for row in rows]


def of_a_day(duck: duckdb.DuckDBPyConnection, events: list[Row], zone: ZoneInfo = GREENWICH) -> list[Row]:
    """Sessions of the three days from the first event on, in the order in which they begin."""
    first = events[0]["event_time"].astimezone(zone).date()
    rows = [row for _, row in found(duck, events, zone, first, first + timedelta(days=2))]
    return sorted(rows, key=lambda row: row["started_at"])


@pytest.mark.parametrize(
    ("pause", "sessions"),
    [(timedelta(minutes=30), 1), (timedelta(minutes=30, microseconds=1), 2)],
)
def test_a_run_goes_on_over_exactly_half_an_hour(
    pause: timedelta, sessions: int, duck: duckdb.DuckDBPyConnection
) -> None:
    assert len(of_a_day(duck, [at(0), at(pause.total_seconds())])) == sessions


@pytest.mark.parametrize(("pause", "sessions"), [(timedelta(hours=24), 1), (timedelta(hours=24, microseconds=1), 2)])
def test_a_client_s_session_goes_on_over_exactly_a_day(
    pause: timedelta, sessions: int, duck: duckdb.DuckDBPyConnection
) -> None:
    events = [at(0, session_id="s"), at(pause.total_seconds(), session_id="s")]
    assert len(of_a_day(duck, events)) == sessions


def test_midnight_does_not_split_a_session(duck: duckdb.DuckDBPyConnection) -> None:
    (session,) = of_a_day(duck, [at(13 * 3600 + 3500), at(14 * 3600 + 100)])
    assert session["duration_seconds"] == 200


def test_a_run_is_cut_at_the_midnight_by_which_it_is_a_day_old(duck: duckdb.DuckDBPyConnection) -> None:
    events = [at(1800 * number) for number in range(100)]  # 50 hours from 10:00 on
    starts = [session["started_at"] for session in of_a_day(duck, events)]
    assert starts == [START, datetime(2026, 5, 14, tzinfo=UTC)]


def test_a_run_that_begins_at_midnight_is_cut_at_the_next(duck: duckdb.DuckDBPyConnection) -> None:
    midnight = -10 * 3600
    events = [at(midnight + 1800 * number) for number in range(60)]
    assert [session["duration_seconds"] for session in of_a_day(duck, events)] == [23.5 * 3600, 5.5 * 3600]


@pytest.mark.parametrize(
    ("date_of_change", "longest_hours"),
    [
        # From one in the morning on: at midnight the run is 22 hours old after the short day, 24 after the long one.
        pytest.param(date(2026, 3, 8), 22 + 24, id="23 hours"),
        pytest.param(date(2026, 11, 1), 24, id="25 hours"),
    ],
)
def test_the_age_of_a_run_is_counted_in_hours_that_passed(
    date_of_change: date, longest_hours: int, duck: duckdb.DuckDBPyConnection
) -> None:
    begin = datetime(date_of_change.year, date_of_change.month, date_of_change.day, 1, tzinfo=NEW_YORK).astimezone(UTC)
    events = [_complete({"event_time": begin + timedelta(minutes=30 * number)}) for number in range(140)]
    longest = of_a_day(duck, events, NEW_YORK)[0]
    assert longest["duration_seconds"] == longest_hours * 3600 - 1800


def test_a_session_belongs_to_the_local_day_of_its_first_event(duck: duckdb.DuckDBPyConnection) -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    # 18:14 UTC is 23:59 there.
    events = [at(8 * 3600 + 14 * 60), at(8 * 3600 + 16 * 60)]
    assert [day for day, _ in found(duck, events, zone, date(2026, 5, 11), date(2026, 5, 14))] == [date(2026, 5, 12)]


@pytest.mark.parametrize(
    ("events", "is_bounce"),
    [
        pytest.param([at(0)], True, id="one view"),
        pytest.param([at(0), at(3)], False, id="two views"),
        pytest.param([at(0), at(3, event_type="click")], False, id="another interactive event"),
        pytest.param([at(0), at(3, event_type="scroll", interactive=False)], True, id="one that is not interactive"),
        pytest.param(
            [at(0), at(9.999999, event_type="scroll", interactive=False)], True, id="a moment less than ten seconds"
        ),
        pytest.param([at(0), at(10, event_type="scroll", interactive=False)], False, id="ten seconds"),
        pytest.param([at(0, event_type="click"), at(60, event_type="click")], None, id="no view"),
        pytest.param(
            [at(0, session_id="s"), at(60, session_id="s", source="server", event_type="paid")],
            False,
            id="an event of a server",
        ),
    ],
)
def test_bounce(events: list[Row], is_bounce: bool | None, duck: duckdb.DuckDBPyConnection) -> None:
    (session,) = of_a_day(duck, events)
    assert session["is_bounce"] is is_bounce


def test_a_session_of_one_event_lasts_no_time(duck: duckdb.DuckDBPyConnection) -> None:
    (session,) = of_a_day(duck, [at(0)])
    assert session["duration_seconds"] == 0


def test_an_event_of_a_server_opens_no_session(duck: duckdb.DuckDBPyConnection) -> None:
    assert of_a_day(duck, [at(0, source="server"), at(1, source="server", session_id="s")]) == []


def test_an_event_of_a_server_moves_neither_start_nor_end(duck: duckdb.DuckDBPyConnection) -> None:
    server = {"session_id": "s", "source": "server", "event_type": "paid"}
    (session,) = of_a_day(duck, [at(-60, **server), at(0, session_id="s"), at(5, session_id="s"), at(3600, **server)])
    assert (session["started_at"], session["duration_seconds"], session["events"]) == (START, 5, 4)


def test_events_with_and_without_a_session_id_never_share_a_session(duck: duckdb.DuckDBPyConnection) -> None:
    assert len(of_a_day(duck, [at(0, anonymous_id="x", session_id="s"), at(1, anonymous_id="x")])) == 2


def test_a_campaign_does_not_split_a_session_and_the_first_view_names_it(duck: duckdb.DuckDBPyConnection) -> None:
    events = [
        at(0, event_type="click", utm_source="before"),
        at(1, utm_source="first", page_url="/in"),
        at(2, utm_source="second", page_url="/out"),
    ]
    (session,) = of_a_day(duck, events)
    assert (session["utm_source"], session["entry_page"], session["exit_page"]) == ("first", "/in", "/out")


def test_a_first_view_without_a_page_is_the_entry_nevertheless(duck: duckdb.DuckDBPyConnection) -> None:
    (session,) = of_a_day(duck, [at(0, page_url=None), at(1)])
    assert session["entry_page"] is None


def test_humans_have_the_sessions_that_they_would_have_without_bots(duck: duckdb.DuckDBPyConnection) -> None:
    # The bot's event in the middle bridges two sessions of the same actor.
    rows = of_a_day(duck, [at(0), at(1500, is_bot=True), at(3000)])
    assert sorted((row["traffic"], row["events"]) for row in rows) == [("all", 3), ("human", 1), ("human", 1)]


def test_a_session_without_bots_is_one_row_though_its_actor_has_others_with_them(
    duck: duckdb.DuckDBPyConnection,
) -> None:
    rows = of_a_day(duck, [at(0), at(9000, is_bot=True)])
    assert sorted((row["traffic"], row["events"]) for row in rows) == [("all", 1), ("both", 1)]


VISIT = {"event_type": "page_view", "source": "web", "is_bot": False, "anonymous_id": "x"}
# Instants that meet the rules: around pauses of half an hour and of a day, and around midnights.
steps = st.sampled_from([0, 0, 1, 60, 1799, 1800, 1801, 3600, 7 * 3600, 43200, 43201, 86399, 86400, 86401, 100_000])
fields = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(["page_view", "page_view", "click", "screen_view"]),
        "source": st.sampled_from(["web", "web", "mobile", "server"]),
        "is_bot": st.sampled_from([False, False, False, True]),
        "user_id": st.sampled_from([None, None, "u"]),
        "anonymous_id": st.sampled_from(["x", "y"]),
        "session_id": st.sampled_from([None, "s"]),
        "page_url": st.sampled_from(["/a", "/b", None]),
        "channel": st.sampled_from(["direct", None]),
        "interactive": st.booleans(),
    }
)
ZONES = [ZoneInfo(name) for name in ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati")]
# Days on which the clocks of New York change.
BEGINNINGS = [datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 10, 31, 4, tzinfo=UTC)]


def expected(events: list[Row], zone: ZoneInfo) -> set[tuple[Any, ...]]:
    return {
        (traffic, row["local_date"], *(row[name] for name in COLUMNS))
        for traffic in ("human", "all")
        for row in session_oracle.sessions(stored(events), zone, bots=traffic == "all")
    }


def by_traffic(rows: list[tuple[date, Row]]) -> list[tuple[Any, ...]]:
    return [
        (traffic, day, *(row[name] for name in COLUMNS))
        for day, row in rows
        for traffic in ("human", "all")
        if row["traffic"] in {"both", traffic}
    ]


@settings(max_examples=20)
@given(
    parts=st.lists(st.tuples(steps, fields), min_size=1, max_size=30),
    zone=st.sampled_from(ZONES),
    beginning=st.sampled_from(BEGINNINGS),
    at_once=st.sampled_from([1, 3, 6]),
)
@example(parts=[(1800, VISIT)] * 110, zone=ZONES[1], beginning=BEGINNINGS[0], at_once=1)
@example(parts=[(1800, VISIT)] * 110, zone=ZONES[1], beginning=BEGINNINGS[1], at_once=1)
@example(
    parts=[(86400, VISIT | {"session_id": "s"})] * 4 + [(25_000, VISIT | {"session_id": "s", "source": "server"})],
    zone=ZONES[3],
    beginning=BEGINNINGS[0],
    at_once=1,
)
def test_days_computed_one_by_one_or_together_have_the_sessions_of_the_whole_history(
    parts: list[tuple[int, Row]],
    zone: ZoneInfo,
    beginning: datetime,
    at_once: int,
    duck: duckdb.DuckDBPyConnection,
) -> None:
    instant, events = beginning, []
    for step, event in parts:
        instant += timedelta(seconds=step)
        events.append(_complete({"event_time": instant} | event))
    first, last = beginning.astimezone(zone).date(), instant.astimezone(zone).date()
    rows = []
    while first <= last:
        rows += by_traffic(found(duck, events, zone, first, first + timedelta(days=at_once - 1)))
        first += timedelta(days=at_once)
    assert len(rows) == len(set(rows))
    assert set(rows) == expected(events, zone)
