"""How much each figure measures, and how often."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of a run.

    A question to the lake is asked `repeats` times by one client, in turns, and `rounds` times by each of `clients` at
    once. Questions over HTTP are asked for `seconds` in each of `turns`; `live_minutes` of `live_rate` events a second
    are in the live window. `frames` events are followed to their WebSocket, and `followers` clients wait for nothing.
    """

    events: int
    days: int
    repeats: int
    clients: int
    rounds: int
    turns: int
    seconds: float
    live_minutes: float
    live_rate: int
    frames: int
    followers: int
    idle_seconds: float
    flight_rounds: int


FULL = Scale(
    events=10_000_000,
    days=90,
    repeats=20,
    clients=8,
    rounds=3,
    turns=5,
    seconds=1.5,
    live_minutes=5,
    live_rate=1_000,
    frames=80,
    followers=500,
    idle_seconds=16,
    flight_rounds=5,
)
QUICK = Scale(
    events=200_000,
    days=4,
    repeats=3,
    clients=4,
    rounds=1,
    turns=2,
    seconds=0.5,
    live_minutes=0.2,
    live_rate=500,
    frames=8,
    followers=20,
    idle_seconds=2,
    flight_rounds=2,
)
