"""Watches the numbers from outside: when events are seen, and how far each tier lags behind."""

import threading
import time

import psycopg

_LAG = (
    "select extract(epoch from clock_timestamp() - min(dirty_since)), count(*) from rollups.periods"
    " where dirty_since is not null"
)
# Results of definitions do not say since when they lag behind, but how old they are.
_AGE = "select extract(epoch from clock_timestamp() - min(computed_at)), count(*) from rollups"
TIERS = {
    "closed hours": (
        f"{_LAG} and table_name = 'metric' and grain = 'hour' and period_end + interval '5 minutes' < now()"
    ),
    "sessions of the day": f"{_LAG} and table_name = 'sessions' and now() between period_start and period_end",
    "week and month": f"{_LAG} and table_name = 'metric' and grain in ('week', 'month')",
    "cohorts, age": f"{_AGE}.cohort",
    "funnels, age": f"{_AGE}.funnel_step",
}


class Watcher(threading.Thread):
    """Reads the mart all the time: `seen` is (time, events of the app) whenever the number changes."""

    def __init__(self, address: str, app_id: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self._address, self._app_id = address, app_id
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll ten times a second: more would take from what it measures."""
        with psycopg.connect(self._address, autocommit=True) as connection:
            while not self._stopped.wait(0.1):
                row = connection.execute(
                    "select coalesce(sum(event_count), 0)::bigint from marts.daily_stats where app_id = %s",
                    [self._app_id],
                ).fetchone()
                events = int(row[0]) if row else 0
                if not self.seen or self.seen[-1][1] != events:
                    self.seen.append((time.monotonic(), events))

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self.join()


class Lags(threading.Thread):
    """Looks every second how far the other tiers lag behind: `seen` is their seconds by tier.

    `most` is how many periods waited at once.
    """

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, list[float]] = {}
        self.most: dict[str, int] = {}
        self._address = address
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll."""
        with psycopg.connect(self._address, autocommit=True) as connection:
            while not self._stopped.wait(1):
                for tier, query in TIERS.items():
                    row = connection.execute(query).fetchone()
                    seconds, waiting = row or (0, 0)
                    self.seen.setdefault(tier, []).append(float(seconds or 0))
                    self.most[tier] = max(self.most.get(tier, 0), waiting)

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self.join()


def latencies_of(acknowledged: list[tuple[float, int]], seen: list[tuple[float, int]], present: int) -> list[float]:
    """Seconds from confirmation to sight, one an event."""
    latencies: list[float] = []
    position, before = 0, 0
    for confirmed_at, events in acknowledged:
        while position < len(seen) and seen[position][1] < present + events:
            position += 1
        if position == len(seen):
            break
        latencies += [seen[position][0] - confirmed_at] * (events - before)
        before = events
    return latencies
