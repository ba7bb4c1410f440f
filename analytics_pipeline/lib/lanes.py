"""Turns dirty periods into few requests for runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics_pipeline.lib.due import Dirty, due
from analytics_pipeline.lib.period_tables import HOURLY, Lane, PeriodTable
from eventmill.contracts.backfills import LANE_TAG

# One run per value of the tag (dagster.yaml). What is scheduled shares a lane of its own.
UPKEEP = {LANE_TAG: "upkeep"}
__all__ = ["LANE_TAG", "UPKEEP", "Request", "partition_of", "plan"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How far apart the partitions of a grain may start, and how many clean ones between two dirty ones cost less than a
# run of their own.
_STEPS = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 31 * DAY}
_MAX_GAPS = {"hour": 5}
MAX_SPAN = 7 * DAY
MAX_LONG_SPAN = 35 * DAY


@dataclass(frozen=True, slots=True)
class Request:
    """A run over the partitions `first` to `last`, both included: UTC hours, or midnights that stand for dates."""

    table: PeriodTable
    lane: Lane
    first: datetime
    last: datetime
    wanted_version: int

    @property
    def asset(self) -> str:
        """Last part of the asset's key."""
        return self.table.asset


def plan(dirty: Sequence[Dirty], now: datetime) -> list[Request]:
    """Requests that clean all of `dirty` that is due: one for what is open, few ranges for each table else."""
    opened: list[Dirty] = []
    by_table: dict[PeriodTable, list[tuple[datetime, Dirty]]] = {}
    for table, period in due(dirty, now):
        if table.lane == "closed" and table.is_open(period.end, now):
            opened.append(period)
        else:
            by_table.setdefault(table, []).append((partition_of(period), period))
    ranges = (request for table, periods in by_table.items() for request in _ranges(table, periods))
    return [*_open_request(opened, now), *ranges]


def partition_of(period: Dirty) -> datetime:
    """Start of the partition that owns the period: its UTC hour, or a midnight that stands for a date.

    Weeks are those that begin on Monday, whatever day an app's own begin on.
    """
    if period.grain == "hour":
        return _hour(period.start)
    local = period.local_date
    midnight = datetime(local.year, local.month, local.day, tzinfo=period.start.tzinfo)
    if period.grain == "week":
        return midnight - midnight.weekday() * DAY
    return midnight.replace(day=1) if period.grain == "month" else midnight


def _open_request(dirty: Sequence[Dirty], now: datetime) -> list[Request]:
    """One request: whichever open hour it names, a run brings all open hours and days up to date."""
    if not dirty:
        return []
    # An hour that clients with fast clocks fill before it begins has no partition yet.
    hours = [min(_hour(period.start), _hour(now)) for period in dirty if period.grain == "hour"] or [_hour(now)]
    wanted = max(period.wanted_version for period in dirty)
    return [Request(HOURLY, "open", min(hours), max(hours), wanted)]


def _ranges(table: PeriodTable, periods: Iterable[tuple[datetime, Dirty]]) -> list[Request]:
    requests: list[Request] = []
    reach = _STEPS[table.grain] * (_MAX_GAPS.get(table.grain, 0) + 1)
    span = MAX_LONG_SPAN if table.lane == "long" else MAX_SPAN
    for start, period in sorted(periods, key=lambda pair: pair[0]):
        last = requests[-1] if requests else None
        if last is not None and start - last.last <= reach and start - last.first < span:
            wanted = max(last.wanted_version, period.wanted_version)
            requests[-1] = Request(table, table.lane, last.first, start, wanted)
        else:
            requests.append(Request(table, table.lane, start, start, period.wanted_version))
    return requests


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
