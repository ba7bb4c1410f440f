"""What one request, and all of them together, may take."""

from dataclasses import dataclass

BATCH_BYTES = 2 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is PostgreSQL's time; with a client that reads slowly, a stream may stay for `total_seconds`.

    `open` and `open_each` (per credential) results are read at once, and others wait for `wait_seconds`; PostgreSQL
    works for `running` and `running_each` of them at a time.
    """

    seconds: float = 30.0
    total_seconds: float = 300.0
    rows: int = 20_000_000
    bytes: int = 2 * 1024**3
    open: int = 24
    open_each: int = 6
    running: int = 4
    running_each: int = 2
    wait_seconds: float = 10.0
    ticket_seconds: float = 300.0
    handle_seconds: float = 3600.0
    cached_bytes: int = 256 * 1024**2
    cached_result_bytes: int = 128 * 1024**2
    cached_seconds: float = 60.0
