"""Whether the writer has committed what was sent, and what of it went to quarantine."""

import asyncio
from collections import Counter
from collections.abc import Callable, Set
from datetime import datetime

import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, QUARANTINE, LakeTable, lake_directory, transaction_id
from eventmill.settings import Settings

POLL_SECONDS = 0.2


async def wait_until_committed(
    settings: Settings,
    stream_created_at: datetime,
    sequence: int,
    *,
    patience_seconds: float,
    on_progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Return when the lake holds every envelope up to `sequence` of that stream.

    `on_progress` is told the sequence reached. Raises NotReadyError when the writer stands still for
    `patience_seconds`.
    """
    table = LakeTable(lake_directory(settings), EVENTS)
    cursor = transaction_id(stream_created_at)
    loop = asyncio.get_running_loop()
    reached, moved_at = -1, loop.time()
    while reached < sequence:
        committed = table.transaction_version(cursor) or 0 if table.exists() else 0
        if committed > reached:
            reached, moved_at = committed, loop.time()
            on_progress(reached)
        elif loop.time() - moved_at > patience_seconds:
            raise NotReadyError(
                f"The writer has committed nothing for {patience_seconds:.0f} s; the events are safe in the stream.",
                "`eventmill status` tells whether it runs. It goes on where it stopped: nothing need be sent again.",
            )
        await asyncio.sleep(POLL_SECONDS if reached < sequence else 0)


def quarantined(settings: Settings, app_id: str, sequences: Set[int]) -> dict[str, int]:
    """Reason → how many events of the app in these envelopes the writer rejected."""
    table = LakeTable(lake_directory(settings), QUARANTINE)
    if not sequences or not table.exists():
        return {}
    snapshot = table.snapshot()
    files = snapshot.files
    may_hold = pc.and_(
        pc.less_equal(files["min.stream_seq"], max(sequences)),
        pc.greater_equal(files["max.stream_seq"], min(sequences)),
    )
    found: Counter[str] = Counter()
    for file in snapshot.locate(files.filter(may_hold)["path"].to_pylist()):
        rows = pq.ParquetFile(file).read(columns=["app_id", "stream_seq", "reason"]).to_pylist()
        found.update(row["reason"] for row in rows if row["app_id"] == app_id and row["stream_seq"] in sequences)
    return dict(found)
