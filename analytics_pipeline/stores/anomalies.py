"""Reads the hours that are compared, and keeps what came of it in `rollups.hourly_anomaly`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from analytics_pipeline.engines.hour_profile import Profile
from analytics_pipeline.lib.anomaly import Judgement
from analytics_pipeline.lib.calendar import Period

HourKey = tuple[str, datetime]
ADDITIVE = ("events", "page_views")
METRICS = (*ADDITIVE, "unique_visitors", "unique_sessions")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one metric in one hour."""

    hour: Period
    metric: str
    judgement: Judgement
    is_partial: bool


def counts(connection: psycopg.Connection, hours: Sequence[HourKey]) -> dict[HourKey, dict[str, int]]:
    """Each metric of those of `hours` that have events: `events` of all traffic, the others of people."""
    rows = connection.execute(
        "select app_id, period_start, max(events) filter (where traffic = 'all'),"
        "  max(page_views) filter (where traffic = 'human'), max(visitors) filter (where traffic = 'human'),"
        "  max(sessions) filter (where traffic = 'human')"
        " from unnest(%s::text[], %s::timestamptz[]) as hour (app_id, period_start)"
        " join rollups.metric using (app_id, period_start)"
        " where grain = 'hour' and dimension = 'total' group by app_id, period_start",
        _arrays(hours),
    ).fetchall()
    return {
        (app_id, start): {metric: int(value or 0) for metric, value in zip(METRICS, values, strict=True)}
        for app_id, start, *values in rows
    }


def profiles(connection: psycopg.Connection, hours: Sequence[HourKey]) -> dict[HourKey, dict[str, list[int]]]:
    """Counts by minute of those of `hours` that were read from the lake."""
    rows = connection.execute(
        "select app_id, period_start, events, page_views from rollups.hour_profile"
        " join unnest(%s::text[], %s::timestamptz[]) as hour (app_id, period_start) using (app_id, period_start)",
        _arrays(hours),
    ).fetchall()
    return {(app_id, start): {"events": events, "page_views": views} for app_id, start, events, views in rows}


def first_hours(connection: psycopg.Connection) -> dict[str, datetime]:
    """Start of the first hour of each app that has any."""
    rows = connection.execute(
        "select app_id, period_start from control.app cross join lateral (select period_start from rollups.metric as m"
        "  where m.app_id = app.app_id and grain = 'hour' and dimension = 'total' order by local_date, period_start"
        "  limit 1) as first where deleted_at is null"
    ).fetchall()
    return dict(rows)


def computed_since(
    connection: psycopg.Connection, since: datetime, oldest: datetime, most: int
) -> list[tuple[str, datetime, datetime]]:
    """Hours (app_id, start, computed_at) that start at `oldest` or later and were computed after `since`.

    The first `most` of them by when they were computed, with those that were computed at the same instant.
    """
    return connection.execute(
        "select app_id, period_start, computed_at from rollups.periods where table_name = 'metric' and grain = 'hour'"
        " and period_start >= %s and computed_at > %s order by computed_at fetch first %s rows with ties",
        [oldest, since, most],
    ).fetchall()


def dirty_since(connection: psycopg.Connection, hours: Sequence[HourKey]) -> dict[HourKey, datetime]:
    """Up to when the numbers of those of `hours` are complete that wait to be computed again."""
    rows = connection.execute(
        "select app_id, period_start, dirty_since from rollups.periods"
        " join unnest(%s::text[], %s::timestamptz[]) as hour (app_id, period_start) using (app_id, period_start)"
        " where table_name = 'metric' and grain = 'hour' and dirty_since is not null",
        _arrays(hours),
    ).fetchall()
    return {(app_id, start): since for app_id, start, since in rows}


def write(connection: psycopg.Connection, rows: Sequence[Row], now: datetime) -> None:
    """Insert or replace rows. The caller commits."""
    columns = (
        "app_id, metric, period_start, local_date, local_hour, utc_offset_minutes, current_value, previous_value,"
        " change_pct, expected_value, deviation, weeks_compared, is_partial, is_anomaly, computed_at"
    )
    changing = columns.split(", ")[6:]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into rollups.hourly_anomaly ({columns}) values ({', '.join(['%s'] * 15)})"
            " on conflict (app_id, metric, period_start) do update set "
            + ", ".join(f"{name.strip()} = excluded.{name.strip()}" for name in changing),
            [_values(row, now) for row in rows],
        )


@dataclass(frozen=True, slots=True)
class Latest:
    """What an hour was found to be; `expected` is None where nothing is known of the weeks before."""

    app_id: str
    metric: str
    start: datetime
    current: int
    expected: float | None
    is_partial: bool
    is_anomaly: bool


def latest(connection: psycopg.Connection, since: datetime) -> list[Latest]:
    """Of each app and metric the running and the last complete hour that start after `since`."""
    rows = connection.execute(
        "select distinct on (app_id, metric, is_partial) app_id, metric, period_start, current_value, expected_value,"
        " is_partial, is_anomaly from rollups.hourly_anomaly where period_start > %s"
        " order by app_id, metric, is_partial, period_start desc",
        [since],
    ).fetchall()
    return [Latest(*row) for row in rows]


def lacking_profiles(connection: psycopg.Connection, hours: Sequence[Period], now: datetime) -> list[Period]:
    """Those of `hours` that have events, none of which left the lake, and no profile, or one of older numbers."""
    rows = connection.execute(
        "select app_id, period_start from unnest(%s::text[], %s::timestamptz[]) as hour (app_id, period_start)"
        " join control.app using (app_id) left join rollups.hour_profile as p using (app_id, period_start)"
        " join rollups.metric as m using (app_id, period_start)"
        " where m.grain = 'hour' and m.dimension = 'total' and m.traffic = 'all'"
        "  and (lake_floor is null or lake_floor <= period_start) and period_start < %s"
        "  and (p.computed_at is null or p.computed_at < m.computed_at)",
        [*_arrays([(hour.app_id, hour.start) for hour in hours]), now],
    ).fetchall()
    wanted = set(rows)
    return [hour for hour in hours if (hour.app_id, hour.start) in wanted]


def write_profiles(connection: psycopg.Connection, found: Sequence[Profile], now: datetime, oldest: datetime) -> None:
    """Insert or replace profiles, and drop those of hours before `oldest`. The caller commits."""
    connection.execute("delete from rollups.hour_profile where period_start < %s", [oldest])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollups.hour_profile (app_id, period_start, events, page_views, computed_at)"
            " values (%s, %s, %s, %s, %s) on conflict (app_id, period_start) do update set"
            " events = excluded.events, page_views = excluded.page_views, computed_at = excluded.computed_at",
            [[one.hour.app_id, one.hour.start, one.events, one.page_views, now] for one in found],
        )


def forget_before(connection: psycopg.Connection, age: timedelta, now: datetime) -> int:
    """Delete rows of hours older than `age`, and return how many. The caller commits."""
    return connection.execute("delete from rollups.hourly_anomaly where period_start < %s", [now - age]).rowcount


def _values(row: Row, now: datetime) -> Sequence[object]:
    hour, judged = row.hour, row.judgement
    identity = [hour.app_id, row.metric, hour.start, hour.local_date, hour.local_hour, hour.utc_offset_minutes]
    numbers = [round(judged.current), round(judged.previous), judged.change_pct, judged.expected, judged.deviation]
    return [*identity, *numbers, judged.weeks, row.is_partial, judged.is_anomaly, now]


def _arrays(hours: Sequence[HourKey]) -> list[list[object]]:
    return [[app_id for app_id, _ in hours], [start for _, start in hours]]


Counts = Mapping[HourKey, Mapping[str, int]]
