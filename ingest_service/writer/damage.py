"""Finds damaged data files among the latest ones.

Damage can only come from disks that lie or decay: every data file was durable before its commit.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from eventmill import delta_log
from eventmill.lake import LakeTable
from ingest_service.writer.head import TableHead

# A power cut can only have reached the latest commits; old files are read whenever they are used.
TAIL_COMMITS = 100
TAIL_FILES = 500


def damaged_files(head: TableHead) -> list[str]:
    """Paths, as the log spells them, of the active files of the latest commits that are not what was written."""
    return [add["path"] for add in _latest_files(head) if not _is_whole(head.table, add)]


def _latest_files(head: TableHead) -> Iterator[dict[str, Any]]:
    removed: set[str] = set()
    found = 0
    for version in range(head.version, max(-1, head.version - TAIL_COMMITS), -1):
        if not delta_log.log_path(head.table.directory, version).exists():
            return
        actions = delta_log.read(head.table.directory, version)
        removed |= {action["remove"]["path"] for action in actions if "remove" in action}
        for action in actions:
            if "add" in action and action["add"]["path"] not in removed:
                yield action["add"]
                found += 1
        if found >= TAIL_FILES:
            return


def _is_whole(table: LakeTable, add: dict[str, Any]) -> bool:
    """By the file's checksum; by those of its pages where another program wrote it, which leaves out the footer."""
    file = table.directory / unquote(add["path"])
    checksum = (add.get("tags") or {}).get(delta_log.CHECKSUM_TAG)
    try:
        if file.stat().st_size != int(add["size"]):
            return False
        if checksum:
            return delta_log.file_checksum(file) == str(checksum)
        pq.read_table(file, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return False
    return True
