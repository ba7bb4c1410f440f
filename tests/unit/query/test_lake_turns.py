"""Apps take turns at the lake's workers."""

import pytest

from query_service.lake.errors import LakeBusy
from query_service.lake.turns import Turns


def test_an_app_with_many_questions_does_not_keep_another_one_waiting() -> None:
    turns: Turns[str] = Turns(10, 10)
    for item in ("a1", "a2", "a3"):
        turns.put("a", item)
    turns.put("b", "b1")
    assert [turns.take() for _ in range(4)] == ["a1", "b1", "a2", "a3"]


def test_an_app_that_comes_back_waits_behind_the_others() -> None:
    turns: Turns[str] = Turns(10, 10)
    turns.put("a", "a1")
    turns.put("a", "a2")
    turns.put("b", "b1")
    assert turns.take() == "a1"
    turns.put("c", "c1")
    assert [turns.take() for _ in range(3)] == ["b1", "a2", "c1"]


def test_a_full_queue_refuses() -> None:
    turns: Turns[int] = Turns(3, 2)
    turns.put("a", 1)
    turns.put("a", 2)
    with pytest.raises(LakeBusy):
        turns.put("a", 3)
    turns.put("b", 4)
    with pytest.raises(LakeBusy):
        turns.put("c", 5)
    assert len(turns) == 3


def test_what_nobody_waits_for_is_dropped() -> None:
    turns: Turns[int] = Turns(3, 3)
    turns.put("a", 1)
    turns.put("a", 2)
    assert turns.drop("a", 1)
    assert not turns.drop("a", 1)
    assert [turns.take(), len(turns)] == [2, 0]
    with pytest.raises(LookupError):
        turns.take()
