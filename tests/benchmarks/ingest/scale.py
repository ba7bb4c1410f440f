"""How much each figure measures, and how often."""

from dataclasses import dataclass

# What each commit holds where commits are counted, and the file in which the writer notes them.
COMMIT_ROWS = 1_000
COMMIT_NOTES = "commits.csv"


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of one run of each side."""

    repeats: int
    envelope_events: int
    worker_events: int
    message_events: int
    load_seconds: float
    load_warm_up_seconds: float
    commits: int
    flood_seconds: float

    @property
    def early_commit(self) -> int:
        """The commit whose memory is compared with the last one's: a tenth of the way."""
        return self.commits // 10


FULL = Scale(
    repeats=5,
    envelope_events=1_000_000,
    worker_events=20_000,
    message_events=200_000,
    load_seconds=10,
    load_warm_up_seconds=3,
    commits=5_000,
    flood_seconds=300,
)
QUICK = Scale(
    repeats=2,
    envelope_events=250_000,
    worker_events=3_000,
    message_events=60_000,
    load_seconds=2,
    load_warm_up_seconds=1,
    commits=300,
    flood_seconds=20,
)
