"""What retention, restoring and erasure share: one of them works at a time, on one lake and one archive."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from eventmill import warehouse
from eventmill.archive.store import ArchiveStore
from eventmill.errors import EventmillError
from eventmill.lake import EVENTS, LakeTable, lake_directory
from eventmill.settings import Settings

# Any constant that nothing else locks.
_LOCK = 0x61_72_63_68_69_76


@dataclass(frozen=True, slots=True)
class Workplace:
    """The stores that raw events move between, and a directory for files in the making."""

    settings: Settings
    connection: psycopg.Connection[Any]
    events: LakeTable
    archive: ArchiveStore

    @property
    def scratch(self) -> Path:
        """Directory for files in the making."""
        return self.settings.state_dir / "archive"


@contextmanager
def alone(settings: Settings) -> Iterator[Workplace]:
    """Work on lake and archive while nobody else does. Raises EventmillError where somebody is at work."""
    with closing(warehouse.connect(settings, autocommit=True)) as connection:
        row = connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is None or not row[0]:
            raise EventmillError(
                "Retention, a restore or an erasure is at work already.", "Give the command again when it has ended."
            )
        # The lock goes with the connection.
        yield Workplace(settings, connection, LakeTable(lake_directory(settings), EVENTS), ArchiveStore.of(settings))
