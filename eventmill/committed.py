"""Whether the writer has committed what was sent, and what of it went to quarantine."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Set
from datetime import datetime
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill.contracts.reasons import Reason
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
    if not sequences:
        return {}
    rows = _quarantine_rows(settings, app_id, "stream_seq", min(sequences), max(sequences))
    return dict(Counter(row["reason"] for row in rows if row["stream_seq"] in sequences))


def unparsable_ids(settings: Settings, app_id: str) -> set[str]:
    """Ids of the app's imported lines that are in quarantine because they could not be parsed."""
    rows = _quarantine_rows(settings, app_id, "app_id", app_id, app_id)
    return {row["event_id"] for row in rows if row["reason"] == Reason.UNPARSABLE_LINE}


def _quarantine_rows(
    settings: Settings, app_id: str, column: str, least: int | str, most: int | str
) -> Iterator[dict[str, Any]]:
    """The app's rows, without their bytes, in the files whose range of `column` meets `[least, most]`."""
    table = LakeTable(lake_directory(settings), QUARANTINE)
    if not table.exists():
        return
    snapshot = table.snapshot()
    files = snapshot.files
    if not files.num_rows:
        return
    may_hold = pc.and_(pc.less_equal(files[f"min.{column}"], most), pc.greater_equal(files[f"max.{column}"], least))
    for file in snapshot.locate(files.filter(may_hold)["path"].to_pylist()):
        rows = pq.ParquetFile(file).read(columns=["app_id", "stream_seq", "event_id", "reason"])
        yield from rows.filter(pc.equal(rows["app_id"], app_id)).to_pylist()
