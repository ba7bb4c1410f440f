"""A threshold alert fires once and is over once."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_pipeline.lib.alerting import State, step
from eventmill.control.alerts import Comparison, is_met

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
TEN = timedelta(minutes=10)


def outcomes(wait: timedelta, looks: list[tuple[int, bool | None]]) -> list[str]:
    """What each look (minute, whether the condition holds) leads to."""
    state, found = State(), []
    for minute, holds in looks:
        after = step(state, holds, NOON + timedelta(minutes=minute), wait)
        state = after.state
        found.append(after.outcome)
    return found


def test_a_condition_fires_once_it_has_held_long_enough() -> None:
    assert outcomes(TEN, [(0, True), (5, True), (9, True), (10, True)]) == ["stay", "stay", "stay", "fire"]


def test_without_waiting_time_it_fires_at_once() -> None:
    assert outcomes(timedelta(), [(0, True)]) == ["fire"]


def test_a_break_starts_the_waiting_time_anew() -> None:
    assert outcomes(TEN, [(0, True), (5, False), (6, True), (15, True), (16, True)])[-2:] == ["stay", "fire"]


def test_it_is_over_after_five_quiet_minutes_and_no_sooner() -> None:
    assert outcomes(timedelta(), [(0, True), (1, False), (5, False), (6, False)]) == ["fire", "stay", "stay", "resolve"]


def test_a_swinging_number_neither_resolves_nor_fires_again() -> None:
    looks: list[tuple[int, bool | None]] = [(minute, minute % 3 == 0) for minute in range(60)]
    assert set(outcomes(timedelta(), looks)) == {"fire", "stay"}


def test_what_nobody_can_tell_changes_nothing() -> None:
    assert outcomes(TEN, [(0, True), (5, None), (10, True)]) == ["stay", "stay", "fire"]


@pytest.mark.parametrize(
    ("comparison", "met"),
    [
        ("above", [False, False, True]),
        ("below", [True, False, False]),
        ("at_least", [False, True, True]),
        ("at_most", [True, True, False]),
    ],
)
def test_a_comparison_means_what_it_says(comparison: Comparison, met: list[bool]) -> None:
    assert [is_met(comparison, value, 10) for value in (9, 10, 11)] == met
