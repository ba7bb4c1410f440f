"""Shapes results into answers: `{"data": [...], "meta": {...}}`, the same for every transport."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from query_service.query.executor import Freshness, Result
from query_service.query.model import AccountingQuery, Cursor, DailyQuery
from query_service.query.periods import bucket_starts, place_of
from query_service.query.ranges import DateRange, InstantRange, midnight
from query_service.query.timeseries import TimeseriesQuery

HOUR = timedelta(hours=1)
BOTS = "counted in events only"
OUTCOMES = ("quarantined", "filtered")
ACCOUNT_COLUMNS = (
    "received",
    "stored",
    "window_duplicate",
    "quarantined",
    "filtered",
    "flagged",
    "counted",
    "later_duplicate",
)


class Meta(msgspec.Struct, kw_only=True):
    """How fresh, complete and exact an answer is. `mixed`: several definition versions are in range.

    `silent_since` is the arrival of the last event of an app that usually sends some and does not any more.
    `uniques_scope` is "daily" where visitors with ids of one day are counted over several: they hold per day alone.
    """

    as_of: datetime
    complete_through: datetime | None
    late_pending: int
    source: str
    exact: bool
    definition_version: str | None
    mixed: bool
    bots: str
    range: Mapping[str, str]
    next_cursor: str | None = None
    last_event_at: datetime | None = None
    silent_since: datetime | None = None
    uniques_scope: str | None = None


class AccountingMeta(Meta, kw_only=True):
    """`totals` adds the rows up; hours of which the writer's commits are not known add nothing."""

    totals: Mapping[str, Any]


class Answer(msgspec.Struct, kw_only=True):
    """Rows and what they rest on."""

    data: Sequence[Mapping[str, Any]]
    meta: Meta


class AccountingAnswer(msgspec.Struct, kw_only=True):
    """What became of the events that arrived, and all of it added up."""

    data: Sequence[Mapping[str, Any]]
    meta: AccountingMeta


def plain_answer(result: Result, covered: DateRange | InstantRange) -> Answer:
    """The rows as they are."""
    return Answer(data=result.rows, meta=meta(result.freshness, covered))


def daily_answer(query: DailyQuery, result: Result) -> Answer:
    """At most `limit` rows, and the cursor that continues after them if there are more."""
    rows = result.rows[: query.limit]
    next_cursor = None
    if len(result.rows) > query.limit:
        last = rows[-1]
        next_cursor = Cursor(last["date"], last["source"], last["event_name"]).encode()
    return Answer(data=rows, meta=meta(result.freshness, query.range, next_cursor=next_cursor))


def timeseries_answer(query: TimeseriesQuery, result: Result) -> Answer:
    """A row `{timestamp, value}` per period, with the local offset; 0 where nothing happened."""
    zone = query.range.time_zone
    periods: Sequence[datetime]
    values: Counter[datetime] = Counter()
    if isinstance(query.range, DateRange):
        periods = bucket_starts(query.range, query.granularity, query.tenant.week_start)
        for row in result.rows:
            values[periods[place_of(midnight(row["date"], zone), periods)]] += row["value"]
    else:
        periods = hour_starts(query.range)
        for row in result.rows:
            # Half an hour cut off by a clock change is no period of its own.
            values[periods[place_of(row["timestamp"], periods)]] += row["value"]
    data = [{"timestamp": at.astimezone(zone).isoformat(), "value": values[at]} for at in periods]
    return Answer(data=data, meta=meta(result.freshness, query.range))


def accounting_answer(query: AccountingQuery, result: Result) -> AccountingAnswer:
    """A row per hour or day with arrivals: its columns, reasons, and whether it is balanced and complete."""
    data = [_accounted(row, query.tenant.time_zone) for row in result.rows]
    totals = {name: sum(row[name] or 0 for row in data) for name in ACCOUNT_COLUMNS}
    totals |= {
        "reasons": {
            outcome: dict(sum((Counter(row["reasons"][outcome]) for row in data), Counter()).most_common())
            for outcome in OUTCOMES
        },
        "balanced": all(row["balanced"] for row in data),
        "complete": all(row["complete"] for row in data),
        "quarantined_fraction": totals["quarantined"] / totals["received"] if totals["received"] else None,
    }
    meta = AccountingMeta(**_meta_fields(result.freshness, query.range), totals=totals)
    return AccountingAnswer(data=data, meta=meta)


def _accounted(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    given = row["reasons"] or {}
    last = row["last_received_at"]
    return {
        **row,
        "timestamp": row["timestamp"].astimezone(zone).isoformat(),
        "last_received_at": last and last.astimezone(UTC),
        "reasons": {outcome: given.get(outcome, {}) for outcome in OUTCOMES},
    }


def hour_starts(hours: InstantRange) -> list[datetime]:
    """The instants (UTC) at which the range's hours start: the full hours of the zone's clock."""
    starts, at = [], hours.start
    while at < hours.end:
        starts.append(at)
        at += HOUR
        # A clock change by half an hour (Lord Howe Island) makes one hour longer or shorter.
        if minute := at.astimezone(hours.time_zone).minute:
            at += timedelta(minutes=60 - minute)
    return starts


def meta(freshness: Freshness, covered: DateRange | InstantRange, **more: Any) -> Meta:
    """The `meta` of an answer over a range; `more` are fields that not every answer has."""
    return Meta(**_meta_fields(freshness, covered), **more)


def _meta_fields(freshness: Freshness, covered: DateRange | InstantRange) -> dict[str, Any]:
    return {
        "as_of": freshness.as_of.astimezone(UTC),
        "complete_through": _utc(freshness.complete_through),
        "late_pending": freshness.late_pending,
        "source": "rollup",
        "exact": True,
        "definition_version": freshness.definition_version,
        "mixed": freshness.is_mixed,
        "bots": BOTS,
        "range": covered.echo(),
        "last_event_at": _utc(freshness.last_event_at),
        "silent_since": _utc(freshness.silent_since),
    }


def _utc(instant: datetime | None) -> datetime | None:
    return instant and instant.astimezone(UTC)
