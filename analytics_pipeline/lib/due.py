"""Which dirty periods are worth a run now: what is open at once, what costs a whole day not at every commit."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from analytics_pipeline.lib import period_tables
from analytics_pipeline.lib.period_tables import HOUR, MINUTE, Cause, PeriodTable

# Numbers of a running day, week or month that are computed from all of it.
OPEN_EVERY = 5 * MINUTE
# Days beside an event's own, whose sessions it can move: soon while people look at them, then hourly.
NEIGHBOUR_EVERY, OLD_NEIGHBOUR_EVERY, RECENT = 15 * MINUTE, HOUR, 26 * HOUR
# So many closed hours and days are computed at once; where more are dirty, each waits for more late events first.
AT_ONCE, LATE_EVERY = 20, MINUTE
# Somebody asked for these, and nothing more is coming that would be worth waiting for.
_WAITED_FOR: frozenset[Cause] = frozenset({"definition", "backfill", "erasure"})


class Dirty(Protocol):
    """What planning needs to know of a dirty period."""

    @property
    def table_name(self) -> str: ...
    @property
    def grain(self) -> str: ...
    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...
    @property
    def local_date(self) -> date: ...
    @property
    def wanted_version(self) -> int: ...
    @property
    def dirty_since(self) -> datetime: ...
    @property
    def computed_at(self) -> datetime | None: ...
    @property
    def late_pending(self) -> int: ...
    @property
    def cause(self) -> Cause: ...
    @property
    def is_below_floor(self) -> bool: ...


def due(dirty: Sequence[Dirty], now: datetime) -> list[tuple[PeriodTable, Dirty]]:
    """Those of `dirty` to compute now, each with its table; never one below its app's lake floor."""
    found = [(period_tables.of(period.table_name, period.grain), period) for period in dirty]
    known = [(table, period) for table, period in found if table is not None and not period.is_below_floor]
    late = sum(
        table.lane == "closed" and not table.is_open(period.end, now) and not _may_wait(period)
        for table, period in known
    )
    return [(table, period) for table, period in known if _is_due(table, period, now, is_crowd=late > AT_ONCE)]


def _is_due(table: PeriodTable, period: Dirty, now: datetime, *, is_crowd: bool) -> bool:
    is_running = table.lane == "closed" and table.is_open(period.end, now)
    if is_running or period.start > now:
        return is_running
    # A week whose days are not computed yet is computed again after them.
    if period.computed_at is None or (period.cause in _WAITED_FOR and table.lane != "long"):
        return True
    if table.lane == "closed":
        if _may_wait(period):
            return period.computed_at <= now - OLD_NEIGHBOUR_EVERY
        return not is_crowd or period.dirty_since <= now - LATE_EVERY
    if not table.reach or now < period.end:
        return period.computed_at <= now - OPEN_EVERY
    return max(period.computed_at, period.dirty_since) <= now - _pause(period, now)


def _may_wait(period: Dirty) -> bool:
    # A stream of sign-ups asks for the same closed periods again and again: each waits as long as an old neighbour.
    return period.cause == "identity" and not period.late_pending


def _pause(period: Dirty, now: datetime) -> timedelta:
    if period.late_pending:
        return OPEN_EVERY
    return NEIGHBOUR_EVERY if now < period.end + RECENT else OLD_NEIGHBOUR_EVERY
