"""`python -m ingest_service.writer.compact LAKE`: one round of merging, checkpoint and clean-up, then exit.

A process of its own, with low priority: delta-rs does not give back all memory, and the writer must not wait.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import structlog

from eventmill import faults
from eventmill.errors import LakeError
from eventmill.lake import EVENTS, QUARANTINE, LakeTable
from eventmill.settings import load_settings
from eventmill.telemetry import configure_logging
from ingest_service.writer import cleanup
from ingest_service.writer.checkpoints import write_checkpoint
from ingest_service.writer.compaction import MergeLimits, list_files, merge, plan
from ingest_service.writer.log_readers import delete_read_entries

log = structlog.get_logger(__name__)


def compact(table: LakeTable, limits: MergeLimits, now: datetime, reach: faults.Reach = faults.ignore) -> int:
    """Merge what is worth merging; returns how many files were replaced. A file that cannot be read stays."""
    snapshot = table.snapshot()
    replaced = 0
    for files in plan(list_files(snapshot, table.definition.partition_columns), now, limits):
        try:
            if merge(table, files, snapshot.version, reach) is not None:
                replaced += len(files)
        except (OSError, pa.ArrowException) as error:
            log.warning("files were not merged", folder=files[0].folder, reason=str(error))
    return replaced


def maintain(
    table: LakeTable,
    limits: MergeLimits,
    now: datetime,
    reach: faults.Reach = faults.ignore,
    clean_log: Callable[[LakeTable], int] = lambda table: cleanup.delete_old_log(table.directory),
) -> None:
    """One round for one table; `clean_log` deletes old entries of its log and says how many."""
    replaced = compact(table, limits, now, reach)
    version = write_checkpoint(table)
    deleted = cleanup.delete_unused_files(table, table.snapshot())
    entries = clean_log(table)
    log.info(
        "compacted",
        table=table.definition.name,
        version=version,
        replaced=replaced,
        deleted_files=deleted,
        deleted_entries=entries,
    )


def main() -> int:
    """Maintain both of the writer's tables in the lake that the first argument names."""
    os.nice(10)
    settings = load_settings()
    configure_logging(settings, "compactor")
    reach = faults.Faults.from_settings(settings).reach
    clean_log = partial(delete_read_entries, settings)
    with cleanup.alone(Path(sys.argv[1])):
        for definition in (EVENTS, QUARANTINE):
            try:
                table = LakeTable(Path(sys.argv[1]), definition)
                maintain(table, MergeLimits(), datetime.now(UTC), reach, clean_log)
            except (OSError, LakeError) as error:
                log.warning("compaction failed and is tried again later", table=definition.name, reason=str(error))
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
