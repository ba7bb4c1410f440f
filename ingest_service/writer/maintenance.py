"""`python -m ingest_service.writer.maintenance`: a round of upkeep for lake and stream, then exit. Prints JSON.

A process of its own, with low priority: delta-rs does not give back all memory, and nobody must wait for it.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import duckdb

from eventmill.errors import EventmillError, LakeError
from eventmill.lake import DAY_TABLES, EVENTS, IDENTITY_MAP, QUARANTINE, LakeTable, lake_directory
from eventmill.settings import Settings, load_settings
from eventmill.telemetry import configure_logging
from ingest_service.writer import cleanup
from ingest_service.writer.checkpoints import write_checkpoint
from ingest_service.writer.clustering import Sorter, cluster
from ingest_service.writer.compact import compact
from ingest_service.writer.compaction import MergeLimits
from ingest_service.writer.log_readers import delete_read_entries
from ingest_service.writer.stream_purge import purge_stream

_COMPACTED = (EVENTS, QUARANTINE, IDENTITY_MAP)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a round did to one table. `query_ms` is the time of a count over one app, before and after."""

    table: str
    version: int
    files_before: int
    files_after: int
    replaced: int
    deleted_files: int
    deleted_log_entries: int
    query_ms_before: float | None
    query_ms_after: float | None


def maintain(settings: Settings, table: LakeTable, sorter: Sorter, now: datetime) -> Maintained:
    """Merge and cluster files, write a checkpoint, delete what no reader needs any more."""
    before = table.snapshot()
    app_id = before.files["min.app_id"][0].as_py() if table.definition is EVENTS and before.files.num_rows else None
    slow = _query_ms(table, app_id)
    replaced = compact(table, MergeLimits(), now) if table.definition in _COMPACTED else 0
    replaced += cluster(table, sorter, MergeLimits(), now) if table.definition is EVENTS else 0
    version = write_checkpoint(table)
    after = table.snapshot()
    return Maintained(
        table=table.definition.name,
        version=version,
        files_before=before.files.num_rows,
        files_after=after.files.num_rows,
        replaced=replaced,
        deleted_files=cleanup.delete_unused_files(table, after),
        deleted_log_entries=delete_read_entries(settings, table) + cleanup.delete_unfinished_entries(table.directory),
        query_ms_before=slow,
        query_ms_after=_query_ms(table, app_id),
    )


def _query_ms(table: LakeTable, app_id: str | None) -> float | None:
    """Milliseconds of counting an app's events by hour, as a reader of the lake does; None without one."""
    if app_id is None:
        return None
    snapshot = table.snapshot()
    rows = [row for row in snapshot.files.to_pylist() if row["min.app_id"] <= app_id <= row["max.app_id"]]
    paths = snapshot.locate([row["path"] for row in rows])
    with duckdb.connect() as connection:
        started_at = time.perf_counter()
        connection.execute(
            "select date_trunc('hour', event_time), count(*) from read_parquet($1, union_by_name=true)"
            " where app_id = $2 group by all",
            [paths, app_id],
        ).fetchall()
        return round((time.perf_counter() - started_at) * 1000, 1)


def run(settings: Settings, now: datetime) -> dict[str, object]:
    """A round for all tables and the stream; what failed is named, and the rest is done all the same."""
    lake = lake_directory(settings)
    sorter = Sorter(settings.duckdb_memory_limit, settings.duckdb_threads, settings.state_dir / "spill")
    sorter.spill.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, object]] = []
    failed: dict[str, str] = {}
    with cleanup.alone(lake):
        for definition in (EVENTS, QUARANTINE, IDENTITY_MAP, *DAY_TABLES):
            table = LakeTable(lake, definition)
            try:
                done += [asdict(maintain(settings, table, sorter, now))] if table.exists() else []
            except (OSError, LakeError) as error:
                failed[definition.name] = str(error)
    purged = 0
    try:
        purged = asyncio.run(purge_stream(settings, now))
    except EventmillError as error:
        failed["stream"] = error.message
    return {"tables": done, "purged_messages": purged, "failed": failed}


def main() -> int:
    """Maintain the lake and the stream of the settings."""
    os.nice(10)
    settings = load_settings()
    configure_logging(settings, "maintenance")
    report = run(settings, datetime.now(UTC))
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
