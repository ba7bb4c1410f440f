"""Checks that hold the rollups to the lake."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups.assets import DAILY_KEY, HOURLY_KEY
from analytics_pipeline.engines import exact
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Grain, Period
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import lake_progress
from analytics_pipeline.stores import periods as period_store
from eventmill import warehouse
from eventmill.lake import EVENTS, LakeTable, TouchedHour, lake_directory

# Closed periods computed within this time are compared; the hourly reconciliation looks at all others.
RECENT = timedelta(hours=26)


def checks() -> list[dg.AssetChecksDefinition]:
    """Events in the rollup = distinct events in the lake, for hours and for days."""

    @dg.asset_check(asset=HOURLY_KEY, name="events_equal_the_lake", blocking=False)
    def hourly_events(engine: LakeEngine) -> dg.AssetCheckResult:
        """Events of every recently computed closed hour = distinct events in the lake."""
        return _compare(engine.refresher(), "hour")

    @dg.asset_check(asset=DAILY_KEY, name="events_equal_the_lake", blocking=False)
    def daily_events(engine: LakeEngine) -> dg.AssetCheckResult:
        """Events of every recently computed closed day = distinct events in the lake."""
        return _compare(engine.refresher(), "day")

    return [hourly_events, daily_events]


def _compare(refresher: Refresher, grain: Grain) -> dg.AssetCheckResult:
    with closing(warehouse.connect(refresher.settings)) as connection:
        noticed = lake_progress.noticed_version(connection)
        computed = _recently_computed(connection, grain)
    snapshot = refresher.snapshot()
    # What was committed since the sensor looked is in the lake, and rightly not in the rollup yet.
    table = LakeTable(lake_directory(refresher.settings), EVENTS)
    new = [hour for note in table.commits(noticed, snapshot.version) for hour in note.touched]
    computed = [(period, events) for period, events in computed if not any(_touches(hour, period) for hour in new)]
    wrong = []
    for period, events in computed:
        with refresher.connect() as duck:
            (distinct,) = exact.distinct_events(duck, snapshot, [period])
        if distinct != events:
            wrong.append(f"{period.app_id} {period.start.isoformat()}: rollup {events}, lake {distinct}")
    return dg.AssetCheckResult(
        passed=not wrong,
        metadata={"periods_compared": len(computed), "wrong": dg.MetadataValue.md("\n".join(wrong) or "none")},
    )


def _touches(touched: TouchedHour, period: Period) -> bool:
    return (
        touched.app_id == period.app_id
        and touched.hour < period.end
        and touched.hour + timedelta(hours=1) > period.start
    )


def _recently_computed(connection: psycopg.Connection, grain: Grain) -> list[tuple[Period, int]]:
    """Closed and clean periods with the events that their rollup counts."""
    zones = period_store.zones(connection)
    rows = connection.execute(
        "select p.app_id, p.period_start, coalesce(m.events, 0) from rollups.periods as p"
        " left join rollups.metric as m on m.app_id = p.app_id and m.grain = p.grain"
        "  and m.period_start = p.period_start and m.dimension = 'total' and m.traffic = 'all'"
        " where p.table_name = 'metric' and p.grain = %s and p.closed_at is not null and p.dirty_since is null"
        "  and p.computed_at > %s",
        [grain, datetime.now(UTC) - RECENT],
    ).fetchall()
    meeting = calendar.hours_meeting if grain == "hour" else calendar.days_meeting
    moment = timedelta(microseconds=1)
    return [
        (next(iter(meeting(app_id, zones[app_id], start, start + moment))), events)
        for app_id, start, events in rows
        if app_id in zones
    ]
