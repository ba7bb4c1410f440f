"""The active files of one lake table, kept up to date by reading its log on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from eventmill import delta_log
from eventmill.lake import CommitNote, LakeTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Entries that are looked through, from the last one back, for how complete the table is.
_MOST_ENTRIES_BACK = 500
Partition = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LakeFile:
    """An active file. `path` is relative to the lake; bounds are None where the log does not tell.

    `first_us` and `last_us` bound `event_time`, in microseconds since 1970.
    """

    path: str
    partition: Partition
    rows: int
    first_us: int | None = None
    last_us: int | None = None
    first_app: str | None = None
    last_app: str | None = None

    def may_hold(self, app_id: str, start_us: int, end_us: int) -> bool:
        """Whether an event of the app in `[start_us, end_us)` can lie in it."""
        is_of_app = self.first_app is None or self.last_app is None or self.first_app <= app_id <= self.last_app
        if self.first_us is None or self.last_us is None:
            return is_of_app
        return is_of_app and self.first_us < end_us and self.last_us >= start_us

    def is_inside(self, start_us: int, end_us: int) -> bool:
        """Whether all of its events lie in `[start_us, end_us)`."""
        return (
            self.first_us is not None
            and self.last_us is not None
            and start_us <= self.first_us <= self.last_us < end_us
        )


class TableFiles:
    """`refresh` before each look: it costs one missing file where nothing was committed."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table
        self.version = -1
        self.complete_through: datetime | None = None
        self.partitions: dict[Partition, dict[str, LakeFile]] = {}
        self._partition_of: dict[str, Partition] = {}

    def refresh(self) -> None:
        """Take in what was committed. A table that does not exist has no files."""
        if self.version < 0 or self._is_cut_off():
            self._load()
        while self.version >= 0:
            try:
                actions = delta_log.read(self._table.directory, self.version + 1)
            except FileNotFoundError:
                return
            self._apply(actions)
            self.version += 1

    def files(self) -> Iterator[LakeFile]:
        """All of them."""
        for files in self.partitions.values():
            yield from files.values()

    def _is_cut_off(self) -> bool:
        """Whether log clean-up has removed the entry that follows: then the last checkpoint is further than that."""
        if delta_log.log_path(self._table.directory, self.version + 1).exists():
            return False
        pointer = self._table.directory / delta_log.LOG_DIRECTORY / "_last_checkpoint"
        with suppress(OSError, ValueError):  # without a checkpoint nothing was cleaned up
            return int(json.loads(pointer.read_text(encoding="utf-8"))["version"]) > self.version
        return False

    def _load(self) -> None:
        if not self._table.exists():
            return
        snapshot = self._table.snapshot()
        self.partitions, self._partition_of = {}, {}
        for row in snapshot.files.to_pylist():
            self._add(_of_row(self._table, row))
        self.version = snapshot.version
        self._look_back()

    def _look_back(self) -> None:
        """How complete the table is, as the latest entry says that tells."""
        for version in range(self.version, max(self.version - _MOST_ENTRIES_BACK, -1), -1):
            try:
                self._note(delta_log.read(self._table.directory, version))
            except FileNotFoundError:
                return
            if self.complete_through is not None:
                return

    def _apply(self, actions: list[dict[str, Any]]) -> None:
        for action in actions:
            if "remove" in action:
                self._remove(action["remove"]["path"])
        for action in actions:
            if "add" in action:
                self._add(_of_action(self._table, action["add"]))
        self._note(actions)

    def _note(self, actions: list[dict[str, Any]]) -> None:
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        through = CommitNote.parse(self.version, info).complete_through
        if through is not None and (self.complete_through is None or through > self.complete_through):
            self.complete_through = through

    def _add(self, file: LakeFile) -> None:
        self.partitions.setdefault(file.partition, {})[file.path] = file
        self._partition_of[file.path] = file.partition

    def _remove(self, path: str) -> None:
        path = _located(self._table, path)
        partition = self._partition_of.pop(path, None)
        files = self.partitions.get(partition, {}) if partition is not None else {}
        files.pop(path, None)
        if partition is not None and not files:
            self.partitions.pop(partition, None)


def _located(table: LakeTable, path: str) -> str:
    return f"{table.definition.name}/{unquote(path)}"


def _of_row(table: LakeTable, row: Mapping[str, Any]) -> LakeFile:
    """Of a row of `Snapshot.files`."""
    return LakeFile(
        _located(table, row["path"]),
        tuple(row[f"partition.{name}"] for name in table.definition.partition_columns),
        int(row.get("num_records") or 0),
        _microseconds(row.get("min.event_time")),
        _microseconds(row.get("max.event_time")),
        row.get("min.app_id"),
        row.get("max.app_id"),
    )


def _of_action(table: LakeTable, add: Mapping[str, Any]) -> LakeFile:
    """Of an `add` action of the log."""
    stats = json.loads(add.get("stats") or "{}")
    least, greatest = stats.get("minValues") or {}, stats.get("maxValues") or {}
    return LakeFile(
        _located(table, add["path"]),
        tuple(_typed(name, add["partitionValues"][name]) for name in table.definition.partition_columns),
        int(stats.get("numRecords") or 0),
        _microseconds(least.get("event_time")),
        _microseconds(greatest.get("event_time")),
        least.get("app_id"),
        greatest.get("app_id"),
    )


def _typed(name: str, value: str) -> Any:
    if name.endswith("_date"):
        return date.fromisoformat(value)
    return int(value) if name == "event_hour" else value


def _microseconds(value: Any) -> int | None:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        return None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
