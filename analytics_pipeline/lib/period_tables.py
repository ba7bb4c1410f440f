"""Every table that is kept up period by period: its asset, its lane, and when its periods close and are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from analytics_pipeline.lib.calendar import SESSIONS_NEED, Grain

Lane = Literal["open", "closed", "sessions", "long", "definitions"]
# Why a period is dirty (rollups.periods.cause).
Cause = Literal["late_events", "replay", "backfill", "erasure", "identity", "definition"]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# Counts close this long after the end of their period.
COUNTS_CLOSE_AFTER = 5 * MINUTE
# A late event rebuilds sessions this far to both sides of it: a run is cut at the midnight by which it is a day old.
SESSIONS_CLOSE_AFTER = 25 * HOUR + 30 * MINUTE
SESSION_REACH = 24 * HOUR + 30 * MINUTE
CLIENT_SESSION_REACH = 48 * HOUR
# An event of a server joins a session that begins so soon after it: sessions are moved backwards by nothing else.
SERVER_EVENT_REACH = 30 * MINUTE


@dataclass(frozen=True, slots=True)
class PeriodTable:
    """One table at one grain. `lane` is that of the runs which compute its periods.

    `reach` is how far from an event a period may lie that the event changes; `carry` the same where only sessions that
    go on from one period into the next are counted in both.
    """

    table_name: str
    grain: Grain
    asset: str
    lane: Lane
    sql_folder: str
    closes_after: timedelta = COUNTS_CLOSE_AFTER
    reach: timedelta = timedelta()
    carry: timedelta = timedelta()

    def is_open(self, end: datetime, now: datetime) -> bool:
        """Whether events that arrive now are on time for a period that ends at `end`."""
        return now < end + self.closes_after

    def changed_by(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Range that the periods meet which an event in `[start, end)` can change."""
        back = min(self.carry, SERVER_EVENT_REACH)
        return start - max(self.reach, back), end + max(self.reach, self.carry)


HOURLY = PeriodTable("metric", "hour", "hourly_metric", "closed", "metric")
DAILY = PeriodTable("metric", "day", "daily_metric", "closed", "metric")
WEEKLY = PeriodTable("metric", "week", "weekly_metric", "long", "days", carry=CLIENT_SESSION_REACH)
MONTHLY = PeriodTable("metric", "month", "monthly_metric", "long", "days", carry=CLIENT_SESSION_REACH)
SESSIONS = PeriodTable("sessions", "day", "sessions", "sessions", "days", SESSIONS_CLOSE_AFTER, CLIENT_SESSION_REACH)
GOALS = PeriodTable("goals", "day", "goal_metric", "definitions", "goals", SESSIONS_CLOSE_AFTER, CLIENT_SESSION_REACH)

_KNOWN = (HOURLY, DAILY, WEEKLY, MONTHLY, SESSIONS, GOALS)
# Those that this version computes.
PERIOD_TABLES: Sequence[PeriodTable] = (HOURLY, DAILY, SESSIONS, WEEKLY, MONTHLY, GOALS)


def of(table_name: str, grain: str) -> PeriodTable | None:
    """The table at that grain; None where this version computes no such table."""
    return next((table for table in PERIOD_TABLES if (table.table_name, table.grain) == (table_name, grain)), None)


def closes_after(table_name: str) -> timedelta:
    """How long after its end a period of the table closes."""
    return next(table.closes_after for table in _KNOWN if table.table_name == table_name)


def is_below_floor(table_name: str, grain: str, start: datetime, end: datetime, floor: datetime | None) -> bool:
    """Whether raw events that a period needs may have left the lake: it must not be computed again.

    Sessions of a day may have begun days before it. Weeks and months rest on the kept days of actors, which stay exact,
    while one of them is not below the floor.
    """
    if floor is None:
        return False
    return end <= floor if grain in {"week", "month"} else start - needs_before(table_name) < floor


def needs_before(table_name: str) -> timedelta:
    """How long before their period the raw events begin that a table needs."""
    return SESSIONS_NEED if table_name in {SESSIONS.table_name, GOALS.table_name} else timedelta()
