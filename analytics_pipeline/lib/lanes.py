"""Turns dirty periods into few requests for runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

Lane = Literal["open", "closed", "sessions"]
# One run per value of this tag (dagster.yaml). What is scheduled shares a lane of its own.
LANE_TAG = "eventmill/lane"
UPKEEP = {LANE_TAG: "upkeep"}
AssetName = Literal["hourly_metric", "daily_metric", "page_session"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Clean hours between two dirty ones cost less than a run of their own.
MAX_GAP_HOURS = 5
MAX_SPAN_HOURS = 7 * 24
# Session numbers of an open day are computed from the whole day, so not at every commit.
SESSIONS_EVERY = timedelta(minutes=5)


class Dirty(Protocol):
    """What planning needs to know of a dirty period."""

    @property
    def table_name(self) -> str: ...
    @property
    def grain(self) -> str: ...
    @property
    def start(self) -> datetime: ...
    @property
    def local_date(self) -> date: ...
    @property
    def wanted_version(self) -> int: ...
    @property
    def computed_at(self) -> datetime | None: ...
    def is_open(self, now: datetime) -> bool: ...


@dataclass(frozen=True, slots=True)
class Request:
    """A run over the partitions `first` to `last`, both included: UTC hours, or midnights that stand for dates."""

    asset: AssetName
    lane: Lane
    first: datetime
    last: datetime
    wanted_version: int


def plan(dirty: Sequence[Dirty], now: datetime) -> list[Request]:
    """Requests that clean all of `dirty`: one for what is open, few ranges for what is closed."""
    metric = [period for period in dirty if period.table_name == "metric"]
    closed = [period for period in metric if not period.is_open(now)]
    hours = [period for period in closed if period.grain == "hour"]
    days = [period for period in closed if period.grain == "day"]
    due = [period for period in dirty if period.table_name == "page_session" and _is_due(period, now)]
    return [
        *_open_request([period for period in metric if period.is_open(now)], now),
        *_ranges("hourly_metric", "closed", [(_hour(period.start), period) for period in hours], HOUR, MAX_GAP_HOURS),
        *_ranges("daily_metric", "closed", [(_midnight(period), period) for period in days], DAY, 0),
        *_ranges("page_session", "sessions", [(_midnight(period), period) for period in due], DAY, 0),
    ]


def _open_request(dirty: Sequence[Dirty], now: datetime) -> list[Request]:
    """One request: whichever open hour it names, a run brings all open hours and days up to date."""
    if not dirty:
        return []
    # An hour that clients with fast clocks fill before it begins has no partition yet.
    hours = [min(_hour(period.start), _hour(now)) for period in dirty if period.grain == "hour"] or [_hour(now)]
    wanted = max(period.wanted_version for period in dirty)
    return [Request("hourly_metric", "open", min(hours), max(hours), wanted)]


def _is_due(period: Dirty, now: datetime) -> bool:
    return period.computed_at is None or not period.is_open(now) or period.computed_at <= now - SESSIONS_EVERY


def _ranges(
    asset: AssetName, lane: Lane, periods: Iterable[tuple[datetime, Dirty]], step: timedelta, max_gap: int
) -> list[Request]:
    requests: list[Request] = []
    for start, period in sorted(periods, key=lambda pair: pair[0]):
        last = requests[-1] if requests else None
        if (
            last is not None
            and start - last.last <= step * (max_gap + 1)
            and start - last.first < MAX_SPAN_HOURS * HOUR
        ):
            wanted = max(last.wanted_version, period.wanted_version)
            requests[-1] = Request(asset, lane, last.first, start, wanted)
        else:
            requests.append(Request(asset, lane, start, start, period.wanted_version))
    return requests


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _midnight(period: Dirty) -> datetime:
    return datetime(period.local_date.year, period.local_date.month, period.local_date.day, tzinfo=period.start.tzinfo)
