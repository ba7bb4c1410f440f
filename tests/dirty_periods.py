"""What is dirty in the tests of periods, and computing it as the sensor's requests ask for."""

from datetime import datetime, timedelta

import psycopg

from analytics_pipeline.goals import refresh_goals
from analytics_pipeline.lib import lanes
from analytics_pipeline.lib.calendar import Grain
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from analytics_pipeline.stores import dirty_periods
from tests import oracle


def dirty(connection: psycopg.Connection) -> set[tuple[str, str, datetime]]:
    return {(p.table_name, p.grain, p.start) for p in dirty_periods.dirty(connection)}


def clean(refresher: Refresher, connection: psycopg.Connection) -> None:
    """Do what the sensor's requests ask for."""
    for request in lanes.plan(dirty_periods.dirty(connection), refresher.clock()):
        if request.asset == "hourly_metric":
            refresher.refresh(refresher.hours(request.first, request.last + timedelta(hours=1)))
        elif request.asset == "daily_metric":
            refresher.refresh(refresher.days(request.first, request.last))
        elif request.asset == "sessions":
            refresh_days(refresher, refresher.days(request.first, request.last))
        elif request.asset == "goal_metric":
            refresh_goals(refresher, refresher.days(request.first, request.last))
        elif request.asset in {"weekly_metric", "monthly_metric"}:
            grain: Grain = "week" if request.asset == "weekly_metric" else "month"
            refresh_long(refresher, refresher.periods(grain, request.first, request.last + timedelta(days=1)))


def totals(connection: psycopg.Connection) -> dict[oracle.Cell, int]:
    rows = connection.execute(
        "select app_id, grain, period_start, traffic, dimension, value_kind, value, events from rollups.metric"
        " where grain in ('hour', 'day')"
    ).fetchall()
    return {tuple(row[:7]): row[7] for row in rows}  # type: ignore[misc]


def everything(connection: psycopg.Connection) -> list[str]:
    """All rows of the rollups, without when they were computed."""
    return sorted(
        row
        for table in ("metric", "session_metric", "revenue", "daily_visitor")
        for (row,) in connection.execute(f"select (to_jsonb(t) - 'computed_at')::text from rollups.{table} as t")
    )
