"""Which files of the lake a question reads, as of the last commits."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from eventmill.lake import ACTOR_DAYS, DAY_TABLES, EVENTS, IDENTITY_MAP, LakeTable, TableDefinition, lake_directory
from eventmill.settings import Settings
from query_service.lake.jobs import EventFiles
from query_service.lake.table_files import LakeFile, TableFiles

_FIRST_US, _LAST_US = -(2**62), 2**62
HomeHour = tuple[date, int]


@dataclass(frozen=True, slots=True)
class EventsRead:
    """Files in which events of an app and range lie, and all files of their home hours, by hour."""

    app_id: str
    start_us: int
    end_us: int
    files: Sequence[LakeFile]
    homes: dict[HomeHour, frozenset[str]]

    def job_files(self, identity_paths: tuple[str, ...], event_types: tuple[str, ...] = ()) -> EventFiles:
        """As a worker gets them."""
        inner = tuple(file.path for file in self.files if file.is_inside(self.start_us, self.end_us))
        edges = tuple(file.path for file in self.files if not file.is_inside(self.start_us, self.end_us))
        return EventFiles(self.app_id, self.start_us, self.end_us, inner, edges, identity_paths, event_types)


class LakeSnapshots:
    """The tables' files; `refresh` before a question."""

    def __init__(self, settings: Settings) -> None:
        directory = lake_directory(settings)
        definitions: Iterable[TableDefinition] = (EVENTS, IDENTITY_MAP, *DAY_TABLES)
        self._tables = {one.name: TableFiles(LakeTable(directory, one)) for one in definitions}
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Take in what was committed since. Raises LakeError where the lake cannot be read."""
        async with self._lock:
            await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        for table in self._tables.values():
            table.refresh()

    @property
    def versions(self) -> tuple[int, ...]:
        """Of all tables: with the same ones nothing has changed."""
        return tuple(table.version for table in self._tables.values())

    @property
    def complete_through(self) -> datetime | None:
        """The broker's time up to which every envelope is in the lake."""
        return self._tables[EVENTS.name].complete_through

    @property
    def identity_paths(self) -> tuple[str, ...]:
        """Files of the identity map."""
        return tuple(sorted(file.path for file in self._tables[IDENTITY_MAP.name].files()))

    def homes(self) -> dict[HomeHour, frozenset[str]]:
        """All home hours with their files."""
        return {
            (partition[0], partition[1]): frozenset(files)
            for partition, files in self._tables[EVENTS.name].partitions.items()
        }

    def rows_of(self, home: HomeHour) -> int:
        """Rows in a home hour, copies included."""
        return sum(file.rows for file in self._tables[EVENTS.name].partitions.get(home, {}).values())

    def events(self, app_id: str, start_us: int, end_us: int) -> EventsRead:
        """What events of the app in `[start_us, end_us)` are read from."""
        found: list[LakeFile] = []
        homes: dict[HomeHour, frozenset[str]] = {}
        for partition, files in self._tables[EVENTS.name].partitions.items():
            read = [file for file in files.values() if file.may_hold(app_id, start_us, end_us)]
            if read:
                found += read
                homes[partition[0], partition[1]] = frozenset(files)
        return EventsRead(app_id, start_us, end_us, sorted(found, key=lambda file: file.path), homes)

    def last_event_us(self, app_id: str) -> int:
        """No event of the app is later than this, in microseconds since 1970; 0 where it has none."""
        files = self._tables[EVENTS.name].files()
        return max((file.last_us or 0 for file in files if file.may_hold(app_id, _FIRST_US, _LAST_US)), default=0)

    def has_days(self, app_id: str, days: Sequence[date]) -> bool:
        """Whether each of the days that events can lie in has been computed."""
        known = {date for (date, app) in self._tables[ACTOR_DAYS.name].partitions if app == app_id}
        return known.issuperset(days)

    def days(self, table: str, app_id: str, first: date | None = None, last: date | None = None) -> tuple[str, ...]:
        """Files of a day table from the local date `first` to `last`, both included; None sets no bound."""
        return tuple(
            sorted(
                path
                for (local_date, app), files in self._tables[table].partitions.items()
                if app == app_id and (first is None or local_date >= first) and (last is None or local_date <= last)
                for path in files
            )
        )


def digest(paths: Iterable[str]) -> str:
    """Names a set of files; data files are never changed, so equal names are equal rows."""
    found = hashlib.blake2b(digest_size=12)
    for path in paths:
        found.update(path.encode())
        found.update(b"\0")
    return found.hexdigest()
