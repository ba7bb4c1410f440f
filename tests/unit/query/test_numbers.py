"""Ratios and changes: percent as Postgres rounds them, null where nothing divides."""

from decimal import Decimal

import pytest

from query_service.query.numbers import change, metric, percent


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 3, 33.33), (2, 3, 66.67), (1, 800, 0.13), (3, 800, 0.38), (0, 7, 0.0), (7, 7, 100.0)],
)
def test_percent_have_two_decimals_and_ties_go_away_from_zero(part: int, whole: int, expected: float) -> None:
    assert percent(part, whole) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [(4, 9, -55.56), (9, 4, 125.0), (1, 800, -99.88), (0, 5, -100.0), (5, 0, None), (None, 5, None), (5, None, None)],
)
def test_a_change_is_in_percent_of_what_was(now: float | None, before: float | None, expected: float | None) -> None:
    assert change(now, before) == expected


def test_a_ratio_is_null_where_nothing_divides_or_a_part_is_unknown() -> None:
    assert metric("bounce_rate", {"bounces": 1, "sessions_with_views": 0}) is None
    assert metric("bounce_rate", {"bounces": None, "sessions_with_views": 4}) is None
    assert metric("avg_session_duration", {"session_duration": 10.0, "sessions_started": 4}) == 2.5
    assert metric("revenue", {"revenue": Decimal("9.50")}) == 9.5
