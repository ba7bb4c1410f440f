"""How much each figure measures, and how often."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of a run. Each question is asked `repeats` times by one client, in turns, and `rounds` times by each of
    `clients` at once.
    """

    events: int
    days: int
    repeats: int
    clients: int
    rounds: int


FULL = Scale(events=10_000_000, days=90, repeats=20, clients=8, rounds=5)
QUICK = Scale(events=200_000, days=4, repeats=3, clients=4, rounds=1)
