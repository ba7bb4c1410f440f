"""The window's answers are those of a straightforward recomputation, whatever came late, early, twice or from bots."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query_service.live.cells import DIMENSIONS, MEASURES, cells
from query_service.live.summary import summary
from query_service.live.window import SCHEMA, AppWindow
from query_service.query.model import Tenant
from query_service.query.ranges import InstantRange
from query_service.query.spec import QuerySpec
from tests import live_oracle

NOW = datetime(2026, 11, 20, 12, 0, 30, 500_000, tzinfo=UTC)
NOW_US = live_oracle.us(NOW)
SECOND = timedelta(seconds=1)


def event(number: int, age_seconds: float, **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_id": f"e{number}",
        "event_type": "page_view",
        "event_name": "page_view",
        "source": "web",
        "page_url": None,
        "country": None,
        "device_type": None,
        "event_time": NOW - age_seconds * SECOND,
        "user_id": None,
        "anonymous_id": None,
        "session_id": None,
        "is_bot": False,
        "stream_seq": number,
        "row_no": 0,
    }
    row |= fields
    if not (row["user_id"] or row["anonymous_id"] or row["session_id"]):
        row["anonymous_id"] = "a"
    return row


def table(events: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(events, schema=SCHEMA)


def window_of(*batches: list[dict[str, Any]]) -> AppWindow:
    window = AppWindow()
    for batch in batches:
        window.add(table(batch), NOW_US)
    return window


def ids(letter: str, most: int) -> st.SearchStrategy[str | None]:
    return st.none() | st.integers(0, most).map(lambda number: f"{letter}{number}")


def ages() -> st.SearchStrategy[float]:
    """Lately, at the edges of minutes and windows, long ago, and in the future."""
    edges = st.sampled_from(
        [0.0, 30.5, 270.5, 300.0, 300.000001, 600.0, 1800.0, 3599.0, 3600.0, 3630.5, 3690.0, 7200.0]
    )
    return st.floats(-3500, 3700).map(lambda age: round(age, 3)) | edges | st.floats(0, 700).map(round)


EVENTS = st.builds(
    lambda number, age, fields: event(number, age, **fields),
    st.integers(0, 60),
    ages(),
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(["page_view", "screen_view", "click", "crash"]),
            "event_name": st.sampled_from(["page_view", "buy"]),
            "source": st.sampled_from(["web", "mobile", "server"]),
            "page_url": st.none() | st.sampled_from(["/", "/a", "/b"]),
            "country": st.none() | st.sampled_from(["DE", "FR"]),
            "device_type": st.none() | st.just("mobile"),
            "user_id": ids("u", 3),
            "anonymous_id": ids("a", 4),
            "session_id": ids("s", 3),
            "is_bot": st.sampled_from([False, False, False, True]),
        }
    ),
)
BATCHES = st.lists(st.lists(EVENTS, min_size=1, max_size=12), max_size=6)
# The oldest batch was read an hour and a half ago.
ADDED = st.lists(st.integers(0, 5400), min_size=6, max_size=6).map(lambda ages: sorted(ages, reverse=True))


def held(
    batches: list[list[dict[str, Any]]], ages: list[int]
) -> tuple[AppWindow, list[dict[str, Any]], list[dict[str, Any]]]:
    """A window that was given the batches; the events that it holds, and those that it ever took."""
    window = AppWindow()
    given_at = [NOW_US - age * 1_000_000 for age in ages[: len(batches)]]
    for batch, at in zip(batches, given_at, strict=True):
        window.advance(at)
        window.add(table(batch), at)
    window.advance(NOW_US)
    known = live_oracle.taken(zip(batches, given_at, strict=True))
    return window, live_oracle.held(known, NOW_US), known


@settings(max_examples=60)
@given(BATCHES, ADDED, st.sampled_from([("5m", 5), ("10m", 10), ("60m", 60)]))
def test_a_summary_is_what_counting_event_by_event_gives(
    batches: list[list[dict[str, Any]]], ages: list[int], asked: tuple[str, int]
) -> None:
    window, events, known = held(batches, ages)
    found = summary(window, asked[0], NOW_US)
    expected = live_oracle.summary(events, known, asked[1], NOW_US)
    counters = found["counters"]
    minutes = [(row["events"], row["page_views"], row["unique_visitors"]) for row in found["by_minute"]]
    countries = {row["country"]: (row["visitors"], row["events"]) for row in found["by_country"]}
    assert window.rows == len(events)
    assert {name: found[name] for name in ("total_views", "unique_visitors", "crashes", "top_pages")} == {
        name: expected[name] for name in ("total_views", "unique_visitors", "crashes", "top_pages")
    }
    assert found["avg_duration"] == pytest.approx(expected["avg_duration"], abs=0.011)
    assert minutes == expected["by_minute"]
    assert countries == expected["countries"]
    for name in ("events_5m", "active_users_5m", "events_5m_before", "active_users_5m_before"):
        assert counters[name] == expected[name]


@settings(max_examples=60)
@given(
    BATCHES, ADDED, st.sampled_from([5, 10, 60]), st.none() | st.sampled_from(DIMENSIONS), st.booleans(), st.booleans()
)
def test_cells_are_what_counting_event_by_event_gives(
    batches: list[list[dict[str, Any]]],
    ages: list[int],
    minutes: int,
    dimension: str | None,
    is_by_minute: bool,
    is_renumbered: bool,
) -> None:
    window, events, _ = held(batches, ages)
    if is_renumbered:
        window._renumber()
    spec = spec_of(minutes, (dimension,) if dimension else (), "minute" if is_by_minute else None)
    found = {
        (
            live_oracle.us(row["timestamp"]) // live_oracle.MINUTE_US if is_by_minute else 0,
            row[dimension] if dimension else None,
        ): tuple(row[name] for name in MEASURES)
        for row in cells(window, spec)
    }
    expected = live_oracle.cells(events, *spec.range.instants, dimension, is_by_minute)
    if not dimension and not is_by_minute:
        expected = expected or {(0, None): (0, 0, 0, 0, 0)}
    assert found == expected


def spec_of(minutes: int, dimensions: tuple[str, ...] = (), granularity: Any = None, **more: Any) -> QuerySpec:
    covered = InstantRange(NOW - minutes * 60 * SECOND, NOW, ZoneInfo("UTC"))
    return QuerySpec(
        Tenant("shop", ZoneInfo("UTC")),
        MEASURES,
        dimensions,
        (),
        covered,
        granularity=granularity,
        **({"limit": 10_000} | more),
    )


def test_rows_come_in_the_order_asked_for_with_those_not_set_last() -> None:
    window = window_of([event(1, 1, country="DE"), event(2, 1), event(3, 1, country="FR"), event(4, 1, country="FR")])
    order = (("events", "desc"), ("country", "asc"))
    assert [row["country"] for row in cells(window, spec_of(5, ("country",), order_by=order))] == ["FR", "DE", None]
    paged = spec_of(5, ("country",), order_by=(("country", "desc"),), limit=1, offset=1)
    assert [row["country"] for row in cells(window, paged)] == ["DE", None]


def test_an_event_that_came_twice_counts_once_whatever_its_time() -> None:
    window = window_of([event(1, 10), event(1, 10)], [event(1, 100)])
    assert window.rows == 1


def test_an_event_of_the_future_counts_when_its_time_has_come() -> None:
    window = window_of([event(1, -60)])
    assert summary(window, "5m", NOW_US)["counters"]["events_5m"] == 0
    assert summary(window, "5m", NOW_US + 61_000_000)["counters"]["events_5m"] == 1


def test_a_window_without_room_begins_later_and_says_so() -> None:
    window = window_of([event(1, 200), event(2, 100), event(3, 10)])
    window.shorten()
    window.add(table([event(4, 200)]), NOW_US)
    assert window.rows == 2
    assert summary(window, "5m", NOW_US)["counters"]["window_start"] == "2026-11-20T11:58:00Z"
    assert summary(window, "5m", NOW_US)["counters"]["events_5m_before"] is None


def test_a_visitor_seen_with_two_users_stays_one_of_its_own() -> None:
    window = window_of([event(1, 9, anonymous_id="x"), event(2, 8, anonymous_id="x", user_id="1")])
    assert summary(window, "5m", NOW_US)["unique_visitors"] == 1
    window.add(table([event(3, 7, anonymous_id="x", user_id="2")]), NOW_US)
    assert summary(window, "5m", NOW_US)["unique_visitors"] == 3


def test_the_events_that_came_last_are_kept_in_their_order() -> None:
    window = window_of([event(number, 5) for number in range(80)], [event(number, 500) for number in range(80, 150)])
    assert [row["event_id"] for row in window.recent()] == [f"e{number}" for number in range(149, 49, -1)]


def test_texts_and_ids_that_nobody_uses_any_more_are_forgotten() -> None:
    window = AppWindow()
    for minute in range(4):
        at = NOW_US + minute * 7_200_000_000
        rows = [
            event(minute * 60_000 + number, -minute * 7200, anonymous_id=f"{minute}-{number}")
            for number in range(40_000)
        ]
        window.advance(at)
        window.add(table(rows), at)
    assert window.rows == 40_000
    assert len(window.persons) < 130_000
    assert len(window._seen) < 130_000
    assert summary(window, "5m", NOW_US + 3 * 7_200_000_000 + 1_000_000)["unique_visitors"] == 40_000
