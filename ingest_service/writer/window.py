"""Leaves out second copies of events that were stored lately: the window of recent ids, kept in step with the lake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from eventmill import delta_log
from ingest_service.writer.head import TableHead
from ingest_service.writer.id_keys import IdKeys
from ingest_service.writer.recent_ids import RecentIds, copies_within

log = structlog.get_logger(__name__)

_COLUMNS = ["app_id", "event_id", "received_at"]


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """Length of the window of recent ids, and about how many of them are remembered at most (40 bytes each)."""

    length: timedelta = timedelta(minutes=10)
    ids: int = 6_000_000


@dataclass(frozen=True, slots=True)
class Screened:
    """Rows that are stored, with their keys, and the copies that are not."""

    stored: pa.Table
    copies: pa.Table
    keys: IdKeys


class DuplicateWindow:
    """Knows the ids in the table `events` that arrived lately.

    What the window knows is what the table holds: it learns of a batch when that is committed, and reads what anybody
    else committed. So a batch that was committed, whatever became of who did it, is not seen as its own copy.
    """

    def __init__(
        self,
        head: TableHead,
        limits: WindowLimits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._head = head
        self._now = now
        self._limits = limits or WindowLimits()
        self._ids = RecentIds(self._limits.length, self._limits.ids)
        # Last entry of the table's log that the window knows; None before it was read from the table.
        self._version: int | None = None
        self._own: set[int] = set()

    @property
    def seconds(self) -> float:
        """Length of the window as it is: shorter than asked for where the limit of ids left no room for more."""
        return self._ids.seconds

    def screen(self, rows: pa.Table) -> Screened:
        """Tell copies from events that count; `rows` are in the stream's order, and none is in the table."""
        self._follow()
        keys = IdKeys.of(rows)
        is_copy = self._ids.seen(keys)
        is_new = (~is_copy).nonzero()[0]
        is_copy[is_new] = copies_within(keys.where(is_new), self._limits.length)
        if not is_copy.any():
            return Screened(rows, rows.slice(0, 0), keys)
        return Screened(rows.filter(pa.array(~is_copy)), rows.filter(pa.array(is_copy)), keys.where(~is_copy))

    def remember(self, screened: Screened, version: int) -> None:
        """Note that the stored rows were committed as `version`."""
        self._add(screened.keys)
        self._own.add(version)

    def _follow(self) -> None:
        """Catch up with the table."""
        if self._version is None:
            self._read_table()
            return
        for version in range(self._version + 1, self._head.version + 1):
            if version not in self._own and not self._read_entry(version):
                self._read_table()
                return
        self._version = self._head.version
        self._own.clear()

    def _read_entry(self, version: int) -> bool:
        """Learn what somebody else committed; False where that tells not all, so the table has to be read."""
        try:
            actions = delta_log.read(self._head.table.directory, version)
        except FileNotFoundError:
            return False
        if any(action["remove"].get("dataChange", True) for action in actions if "remove" in action):
            return False
        self._learn([action["add"]["path"] for action in actions if "add" in action and action["add"]["dataChange"]])
        return True

    def _read_table(self) -> None:
        """Start anew from the files whose statistics reach into the window."""
        self._ids = RecentIds(self._limits.length, self._limits.ids)
        snapshot = self._head.table.snapshot()
        files = snapshot.files
        if files.num_rows and "max.received_at" in files.column_names:
            # A gateway whose clock is ahead must not make the window begin in the future.
            newest = min(pc.max(files["max.received_at"]).as_py(), self._now())
            reaching = files.filter(pc.greater(files["max.received_at"], newest - self._limits.length))
            self._learn(reaching.sort_by("max.received_at")["path"].to_pylist(), since=newest - self._limits.length)
        self._version = snapshot.version
        self._own.clear()
        log.info("recent ids read from the lake", ids=len(self._ids), version=snapshot.version)

    def _learn(self, paths: Sequence[str], since: datetime | None = None) -> None:
        for path in paths:
            rows = _read(self._head.table.directory / unquote(path))
            if rows is not None:
                chosen = rows if since is None else rows.filter(pc.greater(rows["received_at"], _instant(since)))
                self._add(IdKeys.of(chosen.sort_by("received_at")))

    def _add(self, keys: IdKeys) -> None:
        self._ids.add(keys, int(self._now().timestamp() * 1_000_000))


def _read(path: Path) -> pa.Table | None:
    try:
        return pq.read_table(path, columns=_COLUMNS, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        # Its copies are recognised when the lake is read, as after the window: no reason to stop.
        log.warning("recent ids of a file are unknown", file=str(path), reason=str(error))
        return None


def _instant(value: datetime) -> Any:
    return pa.scalar(value, pa.timestamp("us", tz="UTC"))
