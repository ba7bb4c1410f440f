"""Checkpoints of a table's log: delta-rs writes them, and a checksum beside each tells later whether they still are so.

delta-rs syncs nothing, and a flipped bit in a checkpoint can name other files, or other columns, without any error.
A checkpoint only saves reading: one that is not as it was written is left to the log's entries.
"""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from eventmill import delta_log
from eventmill.lake import LakeTable
from ingest_service.writer.head import LAST_CHECKPOINT, checkpoint_path


def write_checkpoint(table: LakeTable) -> int:
    """Write a checkpoint of the latest version, durably, and return that version."""
    opened = DeltaTable(str(table.directory))
    opened.create_checkpoint()
    version = opened.version()
    log_directory = table.directory / delta_log.LOG_DIRECTORY
    for path in (checkpoint_path(table.directory, version), log_directory / LAST_CHECKPOINT):
        delta_log.sync_file(path)
        _write_checksum(path)
    delta_log.sync_directory(log_directory)
    return version


def checksum_path(path: Path) -> Path:
    """The file with a checkpoint's checksum; readers of a Delta log pass over names that begin with a dot."""
    return path.with_name(f".{path.name}.crc32")


def _write_checksum(path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.crc32.{os.getpid()}.tmp")
    delta_log.write_durably(unfinished, delta_log.file_checksum(path).encode())
    unfinished.replace(checksum_path(path))


def is_as_written(path: Path) -> bool:
    """Whether a checkpoint, or the hint that names the last one, has its checksum; true where there is none."""
    try:
        return checksum_path(path).read_text(encoding="ascii", errors="replace") == delta_log.file_checksum(path)
    except FileNotFoundError:
        # From an earlier version, or a crash came before the checksum.
        return True
    except OSError:
        return False


def is_readable(path: Path) -> bool:
    """Whether a checkpoint is a whole Parquet file, and the one that was written."""
    try:
        pq.read_table(path)
    except (pa.ArrowException, OSError):
        return False
    return is_as_written(path)
