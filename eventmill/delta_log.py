"""Durable commits to a Delta table on a local disk.

delta-rs makes a log entry visible before it is durable and never calls fsync on a local disk. An acknowledged event
must survive a power cut, so this module writes log entries itself: the entry is fsynced under a name of its own, then
linked to its version's name. The link fails where that version exists: the conditional put that Delta's protocol asks
for. An entry is therefore never visible before it is whole, and two writers can never both own a version.

A disk may also flip a bit: entries carry a checksum of themselves, and name that of each data file in its tags. Other
programs' entries have neither, and are taken as they are.
See docs/decisions/0007 and https://github.com/delta-io/delta/blob/master/PROTOCOL.md.
"""

import json
import os
import re
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventmill import __version__, faults
from eventmill.errors import EventmillError, LakeError

LOG_DIRECTORY = "_delta_log"
CHECKSUM_TAG = "crc32"

# A CRC finds every single flipped bit and costs a quarter of a millisecond per MB. Two marks say that an entry has one:
# a bit that is flipped in either leaves the other.
_ENGINE_MARK = b" crc32"
_CHECKSUM = re.compile(rb'^\{"commitInfo":\{"checksum":"([0-9a-f]{8})"')
_NO_CHECKSUM = "00000000"
_CHECKSUM_AT = len('{"commitInfo":{"checksum":"')
_BLOCK_BYTES = 64 * 1024


class CommitConflictError(EventmillError):
    """Somebody else committed the version: read the table again before trying once more."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table. `path` is relative to the table, `modified_ms` in Unix milliseconds.

    `checksum` is that of the whole file, as `file_checksum` says; empty where it is not known.
    """

    path: str
    size: int
    partition_values: Mapping[str, str]
    modified_ms: int
    stats: str
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """An application's own version, kept by the table: the cursor of who writes it."""

    app_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What one log entry says. `metadata` (JSON values) joins the entry's `commitInfo`.

    `table_metadata` is a whole `metaData` action, where the entry changes the table's schema.
    """

    adds: Sequence[DataFile] = ()
    removes: Sequence[DataFile] = ()
    transaction: Transaction | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    # False where rows only move to other files: readers of changes then skip the entry.
    is_data_change: bool = True
    table_metadata: Mapping[str, Any] | None = None


def log_path(table: Path, version: int) -> Path:
    """File that holds a version's log entry."""
    return table / LOG_DIRECTORY / f"{version:020d}.json"


def append(table: Path, version: int, commit: Commit, reach: faults.Reach = faults.ignore) -> None:
    """Write log entry `version`, durable before it is visible; `reach` is told the steps of `eventmill.faults`.

    The commit's data files must be durable already. Raises CommitConflictError where the version exists.
    """
    directory = table / LOG_DIRECTORY
    unlinked = directory / f".{uuid.uuid4()}.tmp"
    try:
        write_durably(unlinked, _encode(commit))
        reach("before_log_link")
        os.link(unlinked, log_path(table, version))
        reach("after_log_link")
    except FileExistsError:
        raise CommitConflictError(f"Version {version} of {table.name} was committed by another process.") from None
    finally:
        unlinked.unlink(missing_ok=True)
    sync_directory(directory)
    reach("after_log_fsync")


def read(table: Path, version: int) -> list[dict[str, Any]]:
    """Actions of a log entry.

    Raises FileNotFoundError where it is not there, LakeError where it is not whole or not what was written.
    """
    content = log_path(table, version).read_bytes()
    if not _is_as_written(content):
        raise LakeError(f"Log entry {version} of {table.name} is not what was written: its checksum differs.")
    try:
        actions = [json.loads(line) for line in content.split(b"\n") if line]
    except ValueError:
        actions = []
    if not actions:
        raise LakeError(f"Log entry {version} of {table.name} is empty or cut off.")
    return actions


def _is_as_written(content: bytes) -> bool:
    """Whether an entry has the checksum that it names; true for one that names none."""
    found = _CHECKSUM.match(content)
    if found is None:
        return _is_foreign(content)
    place = found.start(1)
    unsigned = content[:place] + _NO_CHECKSUM.encode() + content[place + len(_NO_CHECKSUM) :]
    return int(found[1], 16) == zlib.crc32(unsigned)


def _is_foreign(content: bytes) -> bool:
    info = content.partition(b"\n")[0]
    return not re.search(rb'"engineInfo":"eventmill/[^"]*' + _ENGINE_MARK, info)


def file_checksum(path: Path) -> str:
    """CRC-32 of a file's bytes in hexadecimal digits. Raises OSError where it cannot be read."""
    checksum = 0
    block = memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            checksum = zlib.crc32(block[:size], checksum)
    return f"{checksum:08x}"


def write_durably(path: Path, content: bytes) -> None:
    """Create a file whose content has reached the disk when this returns; its name needs `sync_directory`."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Bring a file's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk."""
    sync_file(directory)


def make_directories(directory: Path, root: Path) -> None:
    """Create a directory below `root`, each new name durable."""
    if directory.is_dir():
        return
    make_directories(directory.parent, root)
    directory.mkdir(exist_ok=True)
    sync_directory(directory.parent)


def _encode(commit: Commit) -> bytes:
    now = time.time_ns() // 1_000_000
    info: dict[str, Any] = {
        # First, where `_CHECKSUM` looks for it.
        "checksum": _NO_CHECKSUM,
        "timestamp": now,
        "operation": "WRITE" if commit.is_data_change else "OPTIMIZE",
        "operationParameters": {"mode": "Append"} if commit.is_data_change else {},
        "engineInfo": f"eventmill/{__version__}{_ENGINE_MARK.decode()}",
        **commit.metadata,
    }
    actions: list[dict[str, Any]] = [{"commitInfo": info}]
    if commit.table_metadata is not None:
        actions.append({"metaData": dict(commit.table_metadata)})
    if commit.transaction is not None:
        txn = {"appId": commit.transaction.app_id, "version": commit.transaction.version, "lastUpdated": now}
        actions.append({"txn": txn})
    actions += [{"remove": _remove(file, now, is_data_change=commit.is_data_change)} for file in commit.removes]
    actions += [{"add": _add(file, is_data_change=commit.is_data_change)} for file in commit.adds]
    content = b"\n".join(json.dumps(action, separators=(",", ":")).encode() for action in actions) + b"\n"
    return content[:_CHECKSUM_AT] + b"%08x" % zlib.crc32(content) + content[_CHECKSUM_AT + len(_NO_CHECKSUM) :]


def _add(file: DataFile, *, is_data_change: bool) -> dict[str, Any]:
    action = {
        "path": file.path,
        "partitionValues": dict(file.partition_values),
        "size": file.size,
        "modificationTime": file.modified_ms,
        "dataChange": is_data_change,
        "stats": file.stats,
    }
    return action | {"tags": {CHECKSUM_TAG: file.checksum}} if file.checksum else action


def _remove(file: DataFile, now: int, *, is_data_change: bool) -> dict[str, Any]:
    return {
        "path": file.path,
        "deletionTimestamp": now,
        "dataChange": is_data_change,
        "extendedFileMetadata": True,
        "partitionValues": dict(file.partition_values),
        "size": file.size,
    }
