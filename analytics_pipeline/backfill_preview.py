"""Computes a range of days into a schema of its own and says what a backfill would change; it changes nothing."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files

import psycopg

from analytics_pipeline.engines import exact
from analytics_pipeline.lib.backfill_range import meets
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import DAILY, HOURLY
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import backfills, rollups
from eventmill import warehouse
from eventmill.contracts.backfills import PREVIEW_SCHEMA

_DAY = timedelta(days=1)


def preview(
    refresher: Refresher, first: date, last: date, apps: Sequence[str], report: Callable[[int, int, date], None]
) -> int:
    """Compare closed hours and days of the local dates `[first, last]`; how many metrics of how many days differ.

    The rows are in `backfill_preview.difference`, until the next preview or until their reader drops the schema.
    `report` hears after each day how many of how many are done.
    """
    days = (last - first).days + 1
    with closing(warehouse.connect(refresher.settings)) as connection:
        _begin(connection)
        for number in range(days):
            day = first + number * _DAY
            _compute(refresher, connection, _periods(refresher, connection, day, apps))
            report(number + 1, days, day)
        parameters = {"first": first, "last": last, "apps": list(apps), "now": refresher.clock()}
        connection.execute(_statement("backfill_difference"), parameters)
        row = connection.execute("select count(*) from backfill_preview.difference").fetchone()
        connection.commit()
    return int(row[0]) if row else 0


def _begin(connection: psycopg.Connection) -> None:
    connection.execute("drop schema if exists backfill_preview cascade")
    connection.execute("create schema backfill_preview")
    connection.execute("create table backfill_preview.metric (like rollups.metric including indexes)")
    connection.commit()


def _periods(refresher: Refresher, connection: psycopg.Connection, day: date, apps: Sequence[str]) -> list[Period]:
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    now = refresher.clock()
    hours = refresher.periods("hour", midnight - timedelta(hours=14), midnight + timedelta(hours=36))
    found = [
        *backfills.remaining(connection, HOURLY, hours, None),
        *backfills.remaining(connection, DAILY, refresher.days(midnight, midnight), None),
    ]
    return [one for one in found if meets(one, day, day) and not one.is_open(now) and (not apps or one.app_id in apps)]


def _compute(refresher: Refresher, connection: psycopg.Connection, periods: Sequence[Period]) -> None:
    if not periods:
        return
    with refresher.connect() as duck:
        rows = exact.metric_rows(duck, refresher.snapshot(), periods).rows
    rollups.write(connection, rollups.METRIC, rows, periods, refresher.clock(), PREVIEW_SCHEMA)
    connection.commit()


def _statement(name: str) -> str:
    return (files("analytics_pipeline") / "stores" / f"{name}.sql").read_text(encoding="utf-8")
