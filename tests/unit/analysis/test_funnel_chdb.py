"""Ordered funnels equal ClickHouse's windowFunnel, which docs/funnels.md compares with ours."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import chdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmill.analysis.funnel import run
from eventmill.analysis.funnel_definition import parse_funnel
from tests.funnel_events import BEGIN, connected, fill
from tests.funnel_reference import Event

events = st.builds(Event, st.sampled_from("ABCX"), st.integers(0, 8), st.none(), st.just(False))
histories = st.lists(st.lists(events, min_size=1, max_size=8), min_size=1, max_size=20)
windows = st.integers(1, 6)
# A tenth of the profile's: an example is many histories, and costs as much as a query.
PROPERTY = settings(max_examples=settings().max_examples // 10)


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Any]:
    connection = chdb.connect(":memory:")
    yield connection
    connection.close()


def their_users(
    clickhouse: Any, steps: Sequence[str], window: int, actors: Sequence[Sequence[Event]], mode: str
) -> list[int]:
    """Actors of each level or a higher one, by windowFunnel over the same events."""
    rows = ", ".join(f"({number}, {e.at}, '{e.kind}')" for number, one in enumerate(actors) for e in one)
    conditions = ", ".join(f"x.3 in ({', '.join(repr(kind) for kind in step)})" for step in steps)
    levels = clickhouse.query(
        f"select windowFunnel({window}{mode})(toUInt64(x.2), {conditions}) from (select arrayJoin([{rows}]) as x)"
        " group by x.1",
        "CSV",
    )
    found = [int(level) for level in str(levels).split()]
    return [sum(level >= step for level in found) for step in range(1, len(steps) + 1)]


def our_users(steps: Sequence[str], window: int, actors: Sequence[Sequence[Event]]) -> list[int]:
    fill(connected(), actors)
    asked = {
        "steps": [{"filters": [["is", "event_type", list(kinds)]]} for kinds in steps]
        if any(len(kinds) > 1 for kinds in steps)
        else [{"event_type": kinds} for kinds in steps],
        "window": f"{window}s",
    }
    funnel = parse_funnel(asked).within(BEGIN, BEGIN + timedelta(days=1))
    return [row.users for row in run(connected(), funnel, "events", complete_through=BEGIN)]


@PROPERTY
@given(st.sampled_from([["A", "B"], ["A", "B", "C"], ["C", "A", "B"]]), windows, histories)
def test_distinct_steps_equal_its_default_mode(
    clickhouse: Any, steps: list[str], window: int, actors: list[list[Event]]
) -> None:
    assert our_users(steps, window, actors) == their_users(clickhouse, steps, window, actors, "")


@PROPERTY
@given(st.lists(st.sampled_from(["A", "B", "C", "AB", "BC", "ABC"]), min_size=2, max_size=4), windows, histories)
def test_any_steps_equal_its_mode_strict_once(
    clickhouse: Any, steps: list[str], window: int, actors: list[list[Event]]
) -> None:
    assert our_users(steps, window, actors) == their_users(clickhouse, steps, window, actors, ", 'strict_once'")


def test_its_default_mode_lets_one_event_satisfy_two_steps_and_ours_does_not(clickhouse: Any) -> None:
    once = [[Event("A", 0)]]
    assert their_users(clickhouse, ["A", "A"], 5, once, "") == [1, 1]
    assert our_users(["A", "A"], 5, once) == [1, 0]


def test_its_strict_order_gives_up_at_the_first_other_event_and_ours_tries_the_next_start(clickhouse: Any) -> None:
    history = [[Event("A", 0), Event("X", 1), Event("A", 2), Event("B", 3)]]
    fill(connected(), history)
    strict = parse_funnel({"steps": [{"event_type": "A"}, {"event_type": "B"}], "order": "strict"})
    ours = run(connected(), strict.within(BEGIN, BEGIN + timedelta(days=1)), "events", complete_through=BEGIN)
    assert their_users(clickhouse, ["A", "B"], 5, history, ", 'strict_order'") == [1, 0]
    assert [row.users for row in ours] == [1, 1]
