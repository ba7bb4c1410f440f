"""Compares hours with the same local hour of the weeks before, and says which are unusual."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.engines import hour_profile
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.anomaly import WEEKS, counted_by, elapsed_of, is_news, judge, same_hours
from analytics_pipeline.lib.calendar import MOMENT, Period
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import anomalies as store
from analytics_pipeline.stores import incidents, watch_progress
from analytics_pipeline.stores import periods as period_store
from analytics_pipeline.stores.anomalies import ADDITIVE, METRICS, HourKey, Row
from analytics_pipeline.stores.incidents import Finding, Key
from eventmill import warehouse

KIND = "anomaly"
# What was computed again within this time is compared again.
RECENT = timedelta(days=8)
# After an outage, or a long backfill, a look takes no more than this of it: the next one goes on.
STEP, MOST_AGAIN = timedelta(days=1), 2_000
KEPT = timedelta(days=400)
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
# The first minutes of an hour say little, and their profile is read meanwhile.
LEAST_ELAPSED = timedelta(minutes=5)


def update(connection: psycopg.Connection, now: datetime) -> list[Row]:
    """Compare the hours that are new, run, or were computed again since the last time. The caller commits."""
    row = connection.execute("select complete_through from rollups.lake_progress").fetchone()
    if row is None or row[0] is None:
        return []
    since = watch_progress.last(connection, KIND)[0] or row[0] - STEP
    zones, firsts = period_store.zones(connection), store.first_hours(connection)
    again = store.computed_since(connection, since, row[0] - RECENT, MOST_AGAIN)
    until = min(row[0], since + STEP, again[-1][2] if len(again) >= MOST_AGAIN else row[0])
    due = {
        hour
        for app_id, first in firsts.items()
        for hour in calendar.hours_meeting(app_id, zones[app_id], max(since - HOUR, until - RECENT, first), until)
    }
    for app_id, start, _ in again:
        if app_id in firsts:
            due.update(calendar.hours_meeting(app_id, zones[app_id], start, start + MOMENT))
    rows = _compared(connection, sorted(due), zones, firsts, row[0])
    store.write(connection, rows, now)
    # An hour that the lake is not complete for yet is looked at again.
    watch_progress.note(connection, KIND, until)
    _settle(connection, now)
    return rows


def _compared(
    connection: psycopg.Connection,
    due: Sequence[Period],
    zones: Mapping[str, ZoneInfo],
    firsts: Mapping[str, datetime],
    complete_through: datetime,
) -> list[Row]:
    before = {_key(hour): same_hours(hour, zones[hour.app_id]) for hour in due}
    earlier = sorted({_key(one) for weeks in before.values() for one in weeks if one is not None})
    counts = store.counts(connection, [*earlier, *map(_key, due)])
    dirty = store.dirty_since(connection, [_key(hour) for hour in due])
    profiles = store.profiles(connection, earlier)
    rows: list[Row] = []
    for hour in due:
        key = _key(hour)
        through = min(complete_through, dirty.get(key, complete_through))
        known = [one if one and one.start >= firsts[hour.app_id] else None for one in before[key]]
        if through >= hour.end:
            rows += [_whole(hour, metric, known, counts) for metric in METRICS]
        elif through - hour.start >= LEAST_ELAPSED:
            elapsed = elapsed_of(hour, through)
            rows += [_running(hour, metric, known, counts, profiles, elapsed) for metric in ADDITIVE]
    return rows


def _whole(hour: Period, metric: str, before: Sequence[Period | None], counts: store.Counts) -> Row:
    earlier = [None if one is None else float(counts.get(_key(one), {}).get(metric, 0)) for one in before]
    return Row(hour, metric, judge(counts.get(_key(hour), {}).get(metric, 0), earlier), is_partial=False)


def _running(
    hour: Period,
    metric: str,
    before: Sequence[Period | None],
    counts: store.Counts,
    profiles: Mapping[HourKey, Mapping[str, Sequence[int]]],
    elapsed: timedelta,
) -> Row:
    """With the events of the same elapsed minutes; an hour that was not read from the lake yet is left out."""
    earlier: list[float | None] = []
    for one in before:
        if one is None:
            earlier.append(None)
        elif _key(one) in profiles:
            earlier.append(counted_by(profiles[_key(one)][metric], elapsed))
        else:
            earlier.append(None if _key(one) in counts else 0.0)
    return Row(hour, metric, judge(counts.get(_key(hour), {}).get(metric, 0), earlier), is_partial=True)


def _settle(connection: psycopg.Connection, now: datetime) -> None:
    """Open incidents of flagged hours that chance does not explain.

    One is over once a complete hour, of those since it was found, is none of them and the running one is not either.
    """
    firing: dict[Key, Finding] = {}
    usual_until: dict[Key, datetime] = {}
    for hour in store.latest(connection, now - RECENT):
        key = hour.app_id, hour.metric
        if hour.is_anomaly and hour.expected is not None and is_news(hour.current, hour.expected):
            firing[key] = _finding(connection, *key, hour.start)
        elif not hour.is_partial:
            usual_until[key] = hour.start + HOUR
    hold = [
        key
        for key, opened_at in incidents.open_since(connection, KIND).items()
        if key not in usual_until or usual_until[key] <= opened_at
    ]
    incidents.settle(connection, KIND, firing, now, hold)


def _finding(connection: psycopg.Connection, app_id: str, metric: str, start: datetime) -> Finding:
    row = connection.execute(
        "select current_value, previous_value, expected_value, deviation, is_partial from rollups.hourly_anomaly"
        " where app_id = %s and metric = %s and period_start = %s",
        [app_id, metric, start],
    ).fetchone()
    current, previous, expected, deviation, is_partial = row or (0, 0, 0.0, 0.0, False)
    so_far = " so far" if is_partial else ""
    return Finding(
        f"{app_id}: {metric} are unusual in the hour of {start.isoformat(timespec='minutes')}",
        [f"{current:,}{so_far}; {expected:,.0f} ± {3 * deviation:,.0f} are usual, {previous:,} a week ago"],
        {"metric": metric, "period_start": start.isoformat(), "current": current, "expected": expected},
    )


def profile(refresher: Refresher, now: datetime) -> int:
    """Read from the lake by minute what the running and the next hour will be compared with; how many hours.

    An hour is read once, a week after it was: in three later weeks it is there already.
    """
    with closing(warehouse.connect(refresher.settings)) as connection:
        zones = period_store.zones(connection)
        soon = [
            hour
            for app_id, zone in zones.items()
            for hour in calendar.hours_meeting(app_id, zone, now, now + HOUR + LEAST_ELAPSED)
        ]
        earlier = {one for hour in soon for one in same_hours(hour, zones[hour.app_id]) if one is not None}
        lacking = store.lacking_profiles(connection, sorted(earlier), now)
        for group in _by_week(lacking, now):
            with refresher.connect() as duck:
                found = hour_profile.profiles(duck, refresher.snapshot(), group)
            store.write_profiles(connection, found, now, now - (WEEKS + 1) * WEEK)
        connection.commit()
    return len(lacking)


def _by_week(hours: Sequence[Period], now: datetime) -> list[list[Period]]:
    """Hours that lie close together, so that one pass reads no more than their files."""
    groups: dict[int, list[Period]] = {}
    for hour in hours:
        groups.setdefault(round((now - hour.start) / WEEK), []).append(hour)
    return list(groups.values())


def _key(hour: Period) -> HourKey:
    return hour.app_id, hour.start
