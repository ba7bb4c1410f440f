"""Puts the end of a table's log right after a power cut on a disk that lied, or after another program's accident.

Our own entries are durable before they are visible. What is unreadable at the very end was therefore never reported
as written: it is moved aside, and the stream still has its events. Anything else is not for a program to guess.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from eventmill import delta_log
from eventmill.errors import LakeError
from eventmill.lake import LakeTable
from ingest_service.writer.checkpoints import is_as_written, is_readable
from ingest_service.writer.head import LAST_CHECKPOINT, checkpoint_path, last_checkpoint

log = structlog.get_logger(__name__)

TORN_DIRECTORY = "_torn"
RECENT = 200


@dataclass(frozen=True, slots=True)
class TornArea:
    """`<lake>/_torn`: where broken files go, with a line about each in `report.jsonl`."""

    table: LakeTable

    def move(self, path: Path, reason: str) -> None:
        """Move a file of the table there, durably, and report it."""
        name = self.table.definition.name
        relative = path.relative_to(self.table.directory)
        lake = self.table.directory.parent
        target = lake / TORN_DIRECTORY / f"{time.time_ns()}-{name}" / relative
        delta_log.make_directories(target.parent, lake)
        path.rename(target)
        delta_log.sync_directory(target.parent)
        delta_log.sync_directory(path.parent)
        self.report({"table": name, "file": str(relative), "reason": reason, "moved_to": str(target)})

    def report(self, finding: dict[str, object]) -> None:
        """Log a finding and add it to the report."""
        log.warning("damage in the lake", **finding)
        directory = self.table.directory.parent / TORN_DIRECTORY
        delta_log.make_directories(directory, self.table.directory.parent)
        with (directory / "report.jsonl").open("a", encoding="utf-8") as report:
            report.write(json.dumps({"found_at_ms": time.time_ns() // 1_000_000, **finding}) + "\n")


def repair_log(table: LakeTable) -> int:
    """Move unreadable entries at the end of the log, and unreadable checkpoints, aside; returns how many.

    Raises LakeError where readable entries lie above an unreadable or missing one.
    """
    torn = TornArea(table)
    moved = _move_broken_checkpoints(table, torn)
    versions = _recent_versions(table)
    broken = [version for version in versions if not _is_readable(table, version)]
    if versions:
        _refuse_holes(table, versions, broken)
    # From the end downwards: whatever interrupts this, the log has no hole.
    for version in reversed(broken):
        torn.move(delta_log.log_path(table.directory, version), "empty or cut off")
    return moved + len(broken)


def _recent_versions(table: LakeTable) -> list[int]:
    """Entries that the table's state rests on: a power cut reaches only the latest, and a checkpoint holds the rest."""
    entries = (table.directory / delta_log.LOG_DIRECTORY).glob("*.json")
    versions = sorted(int(path.stem) for path in entries if path.stem.isdigit())
    checkpoint = last_checkpoint(table.directory)
    return versions if checkpoint is None else [version for version in versions if version > checkpoint - RECENT]


def _is_readable(table: LakeTable, version: int) -> bool:
    try:
        delta_log.read(table.directory, version)
    except (LakeError, UnicodeDecodeError):
        return False
    return True


def _refuse_holes(table: LakeTable, versions: Sequence[int], broken: Sequence[int]) -> None:
    intact = set(versions) - set(broken)
    top = max(intact, default=-1)
    checkpoint = last_checkpoint(table.directory)
    # An intact checkpoint holds what the entries up to it said: the table goes on from there without them.
    first = versions[0] if checkpoint is None else max(versions[0], checkpoint + 1)
    expected = range(first, top + 1)
    missing = [version for version in expected if version not in intact]
    if missing:
        raise LakeError(
            f"Log entry {missing[0]} of lake table {table.definition.name} is unreadable or missing, but entry {top} "
            "above it is intact.",
            f"Restore {delta_log.log_path(table.directory, missing[0])} from a backup: events were committed after it.",
        )


def _move_broken_checkpoints(table: LakeTable, torn: TornArea) -> int:
    """A checkpoint only saves reading: without it the entries are read, or the checkpoint before it."""
    directory = table.directory / delta_log.LOG_DIRECTORY
    moved = 0
    for path in sorted(directory.glob("*.checkpoint.parquet")):
        if not is_readable(path):
            torn.move(path, "unreadable checkpoint, or not as it was written")
            moved += 1
    hint = directory / LAST_CHECKPOINT
    if hint.exists() and not _is_good_hint(table, hint):
        torn.move(hint, "names no readable checkpoint")
        moved += 1
    return moved


def _is_good_hint(table: LakeTable, hint: Path) -> bool:
    try:
        version = int(json.loads(hint.read_bytes())["version"])
        return checkpoint_path(table.directory, version).exists() and is_as_written(hint)
    except (ValueError, KeyError, TypeError):
        return False
