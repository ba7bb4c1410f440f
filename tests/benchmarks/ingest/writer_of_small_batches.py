"""The writer as it is, but for committing every 1,000 rows, and for noting each commit: its seconds and our memory.

`python -m tests.benchmarks.ingest.writer_of_small_batches`, with the writer's own settings; the notes go to
`commits.csv` in its home. Small commits make 5,000 of them a matter of minutes.
"""

import sys
import time
from functools import partial, wraps
from typing import TextIO

import psutil

from eventmill.settings import load_settings
from ingest_service.writer import buffer
from ingest_service.writer.__main__ import main
from ingest_service.writer.buffer import Batch
from ingest_service.writer.flush import Committed, LakeWriter
from tests.benchmarks.ingest.scale import COMMIT_NOTES, COMMIT_ROWS


def note_commits(file: TextIO) -> None:
    """Have every commit write a line: seconds, resident bytes."""
    write, process = LakeWriter.write, psutil.Process()

    @wraps(write)
    def timed(self: LakeWriter, batch: Batch) -> Committed | None:
        started_at = time.perf_counter()
        committed = write(self, batch)
        if committed is not None:
            print(f"{time.perf_counter() - started_at:.6f},{process.memory_info().rss}", file=file, flush=True)
        return committed

    LakeWriter.write = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    buffer.FlushLimits = partial(buffer.FlushLimits, rows=COMMIT_ROWS)  # type: ignore[misc,assignment]
    with (load_settings().home / COMMIT_NOTES).open("w") as notes:
        note_commits(notes)
        sys.exit(main())
