"""What Dagster's sensors and runs do, called in this process and by a clock that a test moves."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg

from analytics_pipeline import commits, identity
from analytics_pipeline.cohorts import refresh_cohorts
from analytics_pipeline.funnels import refresh_funnels
from analytics_pipeline.goals import ask_for_new, refresh_goals
from analytics_pipeline.lib import lanes
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.lanes import Request
from analytics_pipeline.reconcile import reconcile
from analytics_pipeline.refresh import Refreshed, Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from analytics_pipeline.stores import backfills, dirty_periods
from eventmill.control import reconciliation
from tests.lake_of import Clock

_COMPUTE: dict[str, Callable[[Refresher, Sequence[Period]], Refreshed]] = {
    "hourly_metric": Refresher.refresh,
    "daily_metric": Refresher.refresh,
    "sessions": refresh_days,
    "weekly_metric": refresh_long,
    "monthly_metric": refresh_long,
    "goal_metric": refresh_goals,
}
_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}
_MOST_TICKS = 40


@dataclass
class Pipeline:
    """Notices, plans and refreshes; the requests of a tick run in an order that `rng` chooses."""

    refresher: Refresher
    connection: psycopg.Connection
    clock: Clock
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    version: int = 0

    def notice(self) -> None:
        """Turn commits into dirty periods; what was published is in the lake."""
        now = self.clock.now
        self.version = commits.notice(self.refresher.settings, self.connection, self.version, now, silent_until=now)

    def follow_identities(self) -> None:
        """Ask for closed periods whose visitors turned out to be others."""
        with self.refresher.connect() as duck:
            identity.mark_touched(self.connection, duck, self.refresher.snapshot(), self.clock.now)

    def refresh_due(self) -> int:
        """Run what is due, and return how many requests that were."""
        requests = lanes.plan(dirty_periods.dirty(self.connection), self.clock.now)
        self.rng.shuffle(requests)
        for request in requests:
            self._run(request)
        return len(requests)

    def refresh_definitions(self) -> None:
        """Compute the cohorts and funnels that are due."""
        refresh_cohorts(self.refresher.settings, self.refresher.connect, self.clock.now)
        refresh_funnels(self.refresher.settings, self.refresher.connect, self.clock.now)

    def tick(self) -> int:
        """One look at everything."""
        if reconciliation.wanted_at(self.connection) is not None:
            reconcile(self.refresher)
        self.notice()
        ask_for_new(self.connection, self.clock.now)
        return self.refresh_due()

    def settle(self, at: datetime, until: datetime) -> None:
        """Look again and again from `at` on until nothing is dirty; then compute the definitions at `until`."""
        self.clock.now = at
        self.follow_identities()
        for _ in range(_MOST_TICKS):
            self.tick()
            row = self.connection.execute("select count(*) from rollups.periods where dirty_since is not null")
            if row.fetchone() == (0,):
                break
            self.clock.now += timedelta(minutes=61)
        else:
            raise AssertionError(dirty_periods.dirty(self.connection))
        self.clock.now = until
        self.refresh_definitions()

    def _run(self, request: Request) -> None:
        if request.lane == "open":
            self.refresher.refresh_open()
            return
        grain = request.table.grain
        end = request.last + _STEPS[grain]
        owned = self.refresher.periods(grain, request.first, end)
        if grain == "month":
            owned = [period for period in owned if period.local_date <= request.last.date()]
        wanted = backfills.remaining(self.connection, request.table, owned, None)
        if wanted:
            _COMPUTE[request.asset](self.refresher, wanted)
