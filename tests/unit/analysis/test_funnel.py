"""Funnels: the golden cases of their rules, breakdowns, sessions and bots."""

from datetime import timedelta

import pytest

from eventmill.analysis.funnel import FunnelStepRow, run
from eventmill.analysis.funnel_definition import parse_funnel
from tests.funnel_events import BEGIN, connected, fill
from tests.funnel_reference import Event

MINUTE, HOUR, DAY = 60, 3600, 86_400


def rows_of(given: dict[str, object], *actors: list[Event], complete_through: int = 400 * DAY) -> list[FunnelStepRow]:
    """Rows of a funnel that starts within the first 30 days."""
    connection = connected()
    fill(connection, actors)
    funnel = parse_funnel(given).within(BEGIN, BEGIN + timedelta(days=30))
    return run(connection, funnel, "events", complete_through=BEGIN + timedelta(seconds=complete_through))


def users(given: dict[str, object], *actors: list[Event]) -> list[int]:
    return [row.users for row in rows_of(given, *actors) if row.breakdown_kind == "total"]


def funnel(kinds: str, **options: object) -> dict[str, object]:
    """A funnel whose steps are events of the types that `kinds` spells."""
    return {"steps": [{"event_type": kind} for kind in kinds], **options}


def test_a_later_start_converts_where_the_first_ones_window_has_passed() -> None:
    history = [Event("A", 0), Event("A", 90 * MINUTE), Event("B", 100 * MINUTE)]
    assert users(funnel("AB", window="1h"), history) == [1, 1]


@pytest.mark.parametrize(("events", "done"), [("A", [1, 0, 0]), ("AA", [1, 1, 0]), ("AAA", [1, 1, 1])])
def test_the_same_step_three_times_needs_three_events(events: str, done: list[int]) -> None:
    history = [Event(kind, at) for at, kind in enumerate(events)]
    assert users(funnel("AAA"), history) == done


@pytest.mark.parametrize(("events", "done"), [("AB", [1, 1, 0]), ("ABA", [1, 1, 1]), ("AAB", [1, 1, 0])])
def test_a_step_that_comes_again_needs_an_event_after_the_one_between(events: str, done: list[int]) -> None:
    history = [Event(kind, at) for at, kind in enumerate(events)]
    assert users(funnel("ABA"), history) == done


@pytest.mark.parametrize(("events", "done"), [("ABC", [1, 1, 1]), ("ACB", [1, 1, 0]), ("CBA", [1, 0, 0])])
def test_three_types_in_order(events: str, done: list[int]) -> None:
    history = [Event(kind, at) for at, kind in enumerate(events)]
    assert users(funnel("ABC"), history) == done


def test_events_at_equal_times_stand_in_the_order_that_helps() -> None:
    assert users(funnel("ABC"), [Event("C", 5), Event("B", 5), Event("A", 5)]) == [1, 1, 1]


def test_one_event_at_a_time_satisfies_one_step_alone() -> None:
    either = {"filters": [["is", "event_type", ["A", "B"]]]}
    assert users({"steps": [either, {"event_type": "A"}]}, [Event("A", 5)]) == [1, 0]


def test_the_window_includes_its_last_instant() -> None:
    asked = funnel("AB", window="1h")
    assert users(asked, [Event("A", 0), Event("B", HOUR)], [Event("A", 0), Event("B", HOUR + 1)]) == [2, 1]


def test_later_steps_may_lie_after_the_range_and_starts_may_not() -> None:
    end = 30 * DAY
    inside, outside = [Event("A", end - 1), Event("B", end + DAY)], [Event("A", end), Event("B", end + DAY)]
    assert users(funnel("AB"), inside, outside, [Event("A", -1), Event("B", 1)]) == [1, 1]


@pytest.mark.parametrize(("order", "done"), [("ordered", [1, 1]), ("strict", [1, 0])])
def test_strict_lets_no_other_event_in_between(order: str, done: list[int]) -> None:
    assert users(funnel("AB", order=order), [Event("A", 0), Event("X", 1), Event("B", 2)]) == done


def test_any_counts_different_steps_by_different_events_of_one_window() -> None:
    asked = funnel("ABC", order="any", window="1h")
    one_short = [Event("C", 0), Event("A", 1), Event("B", HOUR + 1)]
    assert users(asked, [Event("C", 0), Event("A", 1), Event("B", HOUR)], one_short, [Event("B", 0)]) == [3, 2, 1]


def test_any_names_how_many_steps_were_done() -> None:
    assert [row.step_name for row in rows_of(funnel("AB", order="any"))] == ["any 1 of 2", "any 2 of 2"]


def test_a_broken_path_keeps_what_it_reached_and_another_start_may_go_on() -> None:
    asked = funnel("ABC", exclude=[{"event_type": "X"}])
    broken = [Event("A", 0), Event("B", 1), Event("X", 2), Event("C", 3)]
    again = [*broken, Event("A", 4), Event("B", 5), Event("C", 6)]
    assert users(asked, broken) == [1, 1, 0]
    assert users(asked, again) == [1, 1, 1]


def test_an_exclusion_holds_between_its_steps_alone() -> None:
    asked = funnel("ABC", exclude=[{"event_type": "X", "from_step": 2, "to_step": 3}])
    before, between = [Event(k, t) for t, k in enumerate("AXBC")], [Event(k, t) for t, k in enumerate("ABXC")]
    assert users(asked, before) == [1, 1, 1]
    assert users(asked, between) == [1, 1, 0]


def test_an_excluded_event_at_the_time_of_a_step_is_not_between() -> None:
    asked = funnel("AB", exclude=[{"event_type": "X"}])
    assert users(
        asked, [Event("A", 0), Event("X", 0), Event("B", 1)], [Event("A", 0), Event("X", 1), Event("B", 1)]
    ) == [
        2,
        2,
    ]


def test_bots_are_absent_unless_asked_for() -> None:
    robot = [Event("A", 0), Event("X", 1, is_bot=True), Event("B", 2)]
    asked = funnel("AB", order="strict")
    assert users(asked, robot) == [1, 1]
    assert users(asked | {"include_bots": True}, robot) == [1, 0]


def test_in_progress_are_those_whose_window_is_open_at_the_end_of_what_is_complete() -> None:
    asked, history = funnel("AB", window="1h"), [Event("A", 0), Event("A", 50 * MINUTE)]
    assert rows_of(asked, history, complete_through=110 * MINUTE)[0].in_progress == 1
    assert rows_of(asked, history, complete_through=110 * MINUTE + 1)[0].in_progress == 0


def test_who_converted_is_not_in_progress() -> None:
    rows = rows_of(funnel("AB"), [Event("A", 0), Event("B", 1)], complete_through=0)
    assert [row.in_progress for row in rows] == [0, 0]


def test_rates_are_percent_of_the_start_and_of_the_step_before() -> None:
    histories = [[Event(kind, at) for at, kind in enumerate(kinds)] for kinds in ("ABC", "AB", "A", "A")]
    rows = rows_of(funnel("ABC"), *histories)
    assert [(row.conversion_from_start, row.conversion_from_previous, row.dropoff_percent) for row in rows] == [
        (100, None, None),
        (50, 50, 50),
        (25, 50, 50),
    ]


def test_a_rate_of_nobody_is_unknown() -> None:
    rows = rows_of(funnel("AB"), [Event("B", 0)])
    assert [(row.users, row.conversion_from_start, row.dropoff_percent) for row in rows] == [(0, None, None)] * 2


def test_times_are_since_the_step_before_on_the_earliest_path() -> None:
    slow, quick = [Event("A", 0), Event("A", 5), Event("B", 10)], [Event("A", 0), Event("B", 4)]
    row = rows_of(funnel("AB"), slow, quick)[1]
    assert (row.median_seconds, row.mean_seconds) == (7, 7)


def test_a_breakdown_has_25_values_the_rest_and_none_which_add_up() -> None:
    values = [f"v{number:02}" for number in range(30)]
    actors = [[Event("A", 0, value), Event("B", 1, "elsewhere")] for value in [*values, *values[20:], None, ""]]
    rows = [row for row in rows_of(funnel("AB", breakdown="country"), *actors) if row.step_no == 1]
    assert [row.breakdown_value for row in rows[1:26]] == values[20:] + values[:15]
    assert [(row.breakdown_kind, row.users) for row in rows[26:]] == [("other", 5), ("not_set", 2)]
    assert sum(row.users for row in rows[1:]) == rows[0].users == 42


def test_a_breakdown_by_a_property_takes_its_value_at_entry() -> None:
    connection = connected()
    fill(connection, [[Event("A", 0), Event("B", 1)]])
    changed = "select * replace (json_object('plan', 'pro' || event_type) as properties) from events"
    connection.execute(f"create or replace temp view paid as {changed}")
    asked = parse_funnel(funnel("AB", breakdown="properties.plan")).within(BEGIN, BEGIN + timedelta(days=1))
    rows = run(connection, asked, "paid", complete_through=BEGIN)
    assert [row.breakdown_value for row in rows if row.breakdown_kind == "value"] == ["proA", "proA"]


def test_sessions_can_be_counted_in_place_of_actors() -> None:
    connection = connected()
    fill(connection, [[Event("A", 0), Event("B", 1), Event("A", 2)]])
    split = "select * replace (case when event_time < ? then 's1' else 's2' end as session_key) from events"
    connection.execute(f"create or replace temp table sessions as {split}", [BEGIN + timedelta(seconds=2)])
    asked = parse_funnel(funnel("AB", count_by="session")).within(BEGIN, BEGIN + timedelta(days=1))
    assert [row.users for row in run(connection, asked, "sessions", complete_through=BEGIN)] == [2, 1]


def test_without_events_all_steps_are_there() -> None:
    rows = rows_of(funnel("AB", breakdown="country"))
    assert [(row.breakdown_kind, row.step_name, row.users) for row in rows] == [("total", "A", 0), ("total", "B", 0)]


def test_twenty_steps_are_followed_whatever_their_kind() -> None:
    kinds = "ABCDEFGHIJKLMNOPQRST"
    history = [Event(kind, at) for at, kind in enumerate(kinds)]
    assert users(funnel(kinds), history)[-1] == 1
    assert users(funnel("A" * 20, order="strict"), [Event("A", at) for at in range(20)])[-1] == 1
    assert users(funnel(kinds, order="any"), history[::-1])[-1] == 1
    # Ten exclusions beside them leave no room for a time in one number.
    excluded = [{"event_type": f"X{number}"} for number in range(10)]
    assert users(funnel(kinds, exclude=excluded), history)[-1] == 1
    assert users(funnel(kinds, exclude=excluded), [*history[:5], Event("X7", 5), *history[6:]])[-1] == 0
    assert users(funnel(kinds, exclude=excluded), [Event("B", 0)])[0] == 0


def test_two_excluded_events_at_one_time_can_be_the_first_and_the_last_step_of_any_order() -> None:
    either = {"filters": [["is", "event_type", ["A", "B"]]]}
    asked: dict[str, object] = {
        "steps": [either, either, {"event_type": "A"}],
        "order": "any",
        "exclude": [{"event_type": "B"}],
    }
    assert users(asked, [Event("B", 1), Event("B", 1), Event("A", 1)]) == [1, 1, 1]


def test_a_run_leaves_no_table_behind() -> None:
    rows_of(funnel("AB", breakdown="country"), [Event("A", 0)])
    left = connected().execute("select table_name from duckdb_tables() where table_name like 'funnel%'").fetchall()
    assert left == []


def test_a_funnel_without_range_is_refused() -> None:
    with pytest.raises(ValueError, match="from and to"):
        run(connected(), parse_funnel(funnel("AB")), "events", complete_through=None)


def test_a_value_of_the_breakdown_that_no_table_of_results_can_hold_is_cut() -> None:
    history = [Event("A", 0, country="x\x00" + "y" * 3_000), Event("B", 1)]
    rows = rows_of(funnel("AB", breakdown="country"), history)
    [value] = {row.breakdown_value for row in rows if row.breakdown_kind == "value"}
    assert value == "x\N{REPLACEMENT CHARACTER}" + "y" * 498
