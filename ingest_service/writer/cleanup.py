"""Deletes what no reader of the last hour can need: replaced data files, leftovers of failed flushes, old log entries.

A reader holds a list of files for seconds, and a flush writes its files seconds before it commits them; both have an
hour. delta-rs' own vacuum is not used: it writes log entries that are visible before they are durable.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from urllib.parse import unquote

from eventmill import delta_log
from eventmill.lake import LakeTable, Snapshot
from ingest_service.writer.checkpoints import checksum_path

KEEP_FILES = timedelta(hours=1)
# Readers that follow the log (sensors) may be away this long before they must compare whole tables.
KEEP_LOG = timedelta(hours=48)
_ENTRY = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)")


@contextmanager
def alone(lake: Path) -> Iterator[None]:
    """Wait until no other process merges files of this lake or cleans it up, and keep others waiting."""
    with (lake / ".maintenance.lock").open("a") as lock:
        flock(lock, LOCK_EX)
        yield


def delete_unused_files(table: LakeTable, snapshot: Snapshot, keep: timedelta = KEEP_FILES) -> int:
    """Delete data files that are neither active in the snapshot nor were so within `keep`; returns how many."""
    oldest = time.time() - keep.total_seconds()
    needed = {unquote(path) for path in snapshot.files["path"].to_pylist()}
    needed.update(_named_lately(table.directory, snapshot.version, oldest))
    deleted = 0
    pattern = "*=*/**/*.parquet" if table.definition.partition_columns else "*.parquet"
    for path in table.directory.glob(pattern):
        if path.stat().st_mtime < oldest and path.relative_to(table.directory).as_posix() not in needed:
            path.unlink()
            deleted += 1
    return deleted


def _named_lately(table: Path, version: int, oldest: float) -> Iterator[str]:
    """Files that log entries since `oldest` (Unix seconds) or after `version` added or removed."""
    latest = version
    while delta_log.log_path(table, latest + 1).exists():
        latest += 1
    for number in range(latest, -1, -1):
        path = delta_log.log_path(table, number)
        if not path.exists() or (number <= version and path.stat().st_mtime < oldest):
            return
        for action in delta_log.read(table, number):
            for kind in ("add", "remove"):
                if kind in action:
                    yield unquote(action[kind]["path"])


def delete_old_log(table: Path, keep: timedelta = KEEP_LOG, needed_from: int | None = None) -> int:
    """Delete log entries that the newest checkpoint older than `keep` makes superfluous; returns how many.

    Entries from version `needed_from` on are kept: somebody who follows the log has not read them yet.
    """
    oldest = time.time() - keep.total_seconds()
    directory = table / delta_log.LOG_DIRECTORY
    entries = [(int(found[1]), path) for path in directory.iterdir() if (found := _ENTRY.fullmatch(path.name))]
    checkpoints = [version for version, path in entries if path.suffix == ".parquet" and path.stat().st_mtime < oldest]
    # Oldest first: cut off in the middle, it leaves no hole, which the next start would have to refuse.
    first = max(checkpoints, default=0)
    if needed_from is not None:
        first = min(first, needed_from)
    superfluous = [path for version, path in sorted(entries) if version < first]
    for path in superfluous:
        path.unlink()
        if path.suffix == ".parquet":
            checksum_path(path).unlink(missing_ok=True)
    return len(superfluous)


def delete_unfinished_entries(table: Path, keep: timedelta = timedelta(minutes=10)) -> int:
    """Delete log entries that were written but never linked, as a kill leaves them; returns how many."""
    oldest = time.time() - keep.total_seconds()
    unfinished = [path for path in (table / delta_log.LOG_DIRECTORY).glob(".*.tmp") if path.stat().st_mtime < oldest]
    for path in unfinished:
        path.unlink(missing_ok=True)
    return len(unfinished)
