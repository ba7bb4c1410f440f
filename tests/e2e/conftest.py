"""One running installation, with room for history, for all tests of numbers."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.installation import Installation

# Short, so that a test can wait until it is over; what counts must not depend on it.
WINDOW_SECONDS = 3


@pytest.fixture(scope="session")
def mill(new_directory: Callable[[], Path]) -> Iterator[Installation]:
    """`eventmill up` without the demo flow, with partitions from 2015 on."""
    installation = Installation(
        new_directory(), demo=False, history_start=date(2015, 5, 1), duplicate_window_seconds=WINDOW_SECONDS
    )
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
