"""How much each figure measures, and how often."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of one run of each side; both get the same threads and memory."""

    repeats: int
    hour_events: int
    new_events: int
    upsert_seconds: float
    history_days: int
    day_events: int
    threads: int = 2
    memory: str = "4GB"
    day_memory: str = "2GB"


FULL = Scale(
    repeats=5, hour_events=5_000_000, new_events=10_000, upsert_seconds=10, history_days=90, day_events=1_000_000
)
QUICK = Scale(repeats=2, hour_events=300_000, new_events=2_000, upsert_seconds=2, history_days=3, day_events=60_000)
