"""EVENTMILL_FAULT: which step kills the process, and when."""

import pytest

from eventmill.errors import SettingsError
from eventmill.faults import ALIASES, STEPS, Faults
from eventmill.settings import Settings


def kills_of(setting: str | None, *reached: str) -> list[int]:
    """Positions in `reached` at which the process would have been killed."""
    kills: list[int] = []
    faults = Faults.from_settings(Settings(fault=setting))
    for position, step in enumerate(reached):
        faults._kill = lambda position=position: kills.append(position)
        faults.reach(step)
    return kills


def test_nothing_happens_unless_a_step_is_named() -> None:
    assert kills_of(None, *STEPS) == []


def test_the_step_named_kills_when_it_is_reached_first() -> None:
    assert kills_of("after_log_link", "before_log_link", "after_log_link", "after_log_link") == [1]


def test_a_number_says_which_time_kills() -> None:
    assert kills_of("after_commit:2", "after_commit", "after_log_link", "after_commit", "after_commit") == [2]


def test_before_ack_is_another_name_for_after_publish() -> None:
    assert kills_of("before_ack", "before_publish", "after_publish") == [1]
    assert set(ALIASES.values()) <= set(STEPS)


@pytest.mark.parametrize(
    "setting", ["nonsense", "after_commit:", "after_commit:0", "after_commit:-1", "after_commit:²"]
)
def test_a_setting_that_could_never_work_is_refused_and_the_steps_are_named(setting: str) -> None:
    with pytest.raises(SettingsError, match="EVENTMILL_FAULT") as refused:
        Faults.from_settings(Settings(fault=setting))
    assert "after_parquet_fsync" in refused.value.hint


def test_a_step_of_the_code_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(KeyError):
        Faults("after_commit").reach("somewhere")
