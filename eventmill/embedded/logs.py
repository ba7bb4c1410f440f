"""The supervised processes' log files, kept below a size."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20 * 1024**2


def rotate(log: Path, max_bytes: int = MAX_LOG_BYTES) -> bool:
    """Move a log that has grown past `max_bytes` to `<name>.log.1`; whether it did.

    The file is copied and cut, not renamed: its writer keeps it open, in append mode. A line written between
    the two steps is lost.
    """
    if not log.exists() or log.stat().st_size <= max_bytes:
        return False
    try:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    finally:
        # Also where a full disk has no room for the copy: cutting the log makes some.
        os.truncate(log, 0)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file, empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
