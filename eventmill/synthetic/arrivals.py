"""When synthetic events happen: evenly for a live flow, by the hours of the day over a longer span."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count

# Share of a day's traffic per UTC hour: quiet nights, a peak in the evening.
HOUR_WEIGHTS = (18, 13, 10, 8, 8, 10, 16, 26, 38, 46, 50, 52, 54, 52, 50, 50, 52, 56, 62, 68, 66, 56, 42, 28)
WEEKEND_WEIGHT = 0.7
HOUR = timedelta(hours=1)


def paced(start: datetime, rate: float) -> Iterator[datetime]:
    """Instants `rate` per second from `start` on, without end."""
    for number in count():
        yield start + timedelta(seconds=number / rate)


def spread(rng: random.Random, start: datetime, end: datetime, number: int) -> Iterator[datetime]:
    """`number` ascending instants in `[start, end)` (UTC), denser at busy hours and on working days."""
    cells = _cells(start, end)
    totals = list(accumulate(weight for _, _, weight in cells))
    for index in range(number):
        # One instant per equal share of the weight: ascending without sorting, and as smooth as real traffic.
        target = (index + rng.random()) / number * totals[-1]
        cell = min(bisect_right(totals, target), len(cells) - 1)
        cell_start, length, weight = cells[cell]
        into = 1 - (totals[cell] - target) / weight
        yield cell_start + length * min(max(into, 0.0), 0.999_999)


def _cells(start: datetime, end: datetime) -> list[tuple[datetime, timedelta, float]]:
    """Start, length and weight of each UTC hour, or part of one, in `[start, end)`."""
    cells = []
    at = start.astimezone(UTC)
    while at < end:
        next_hour = min(at.replace(minute=0, second=0, microsecond=0) + HOUR, end)
        day_weight = WEEKEND_WEIGHT if at.weekday() >= 5 else 1.0
        cells.append((at, next_hour - at, HOUR_WEIGHTS[at.hour] * day_weight * ((next_hour - at) / HOUR)))
        at = next_hour
    return cells
