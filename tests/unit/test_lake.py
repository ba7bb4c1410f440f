"""Opening a lake table while somebody writes to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from eventmill import lake
from eventmill.lake import EVENTS, LakeTable

GAP = "Kernel error: Generic delta kernel error: Expected contiguous commit files, but found gap: …20.json"


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    made = LakeTable(tmp_path, EVENTS)
    made.create()
    return made


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[str]], None]:
    """Has a table be opened only once there is no further message."""

    def prepare(messages: Iterator[str]) -> None:
        def opened(*given: Any) -> DeltaTable:
            for message in messages:
                raise DeltaError(message)
            return DeltaTable(*given)

        monkeypatch.setattr(lake, "DeltaTable", opened)

    return prepare


def test_a_listing_that_missed_an_entry_is_taken_again(table: LakeTable, fail: Callable[..., None]) -> None:
    fail(iter([GAP, GAP]))
    assert table.version() == 0


def test_an_entry_that_stays_missing_is_told(table: LakeTable, fail: Callable[..., None]) -> None:
    fail(iter([GAP] * 9))
    with pytest.raises(DeltaError, match="found gap"):
        table.version()


def test_any_other_failure_is_told_at_once(table: LakeTable, fail: Callable[..., None]) -> None:
    messages = iter(["the disk is gone", GAP])
    fail(messages)
    with pytest.raises(DeltaError, match="disk"):
        table.version()
    assert next(messages) == GAP
