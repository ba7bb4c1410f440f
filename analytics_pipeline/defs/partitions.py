"""Partitions: UTC hours, and local dates. Tenants are never part of a key."""

from datetime import UTC, datetime, time

import dagster as dg

from eventmill.settings import Settings

HOUR_FORMAT = "%Y-%m-%d-%H:%M"
DAY_FORMAT = "%Y-%m-%d"


def hourly(settings: Settings) -> dg.HourlyPartitionsDefinition:
    """UTC hours, the running one included. Hour P owns the local hours that start in it."""
    return dg.HourlyPartitionsDefinition(start_date=_start(settings), end_offset=1, fmt=HOUR_FORMAT)


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Local dates. In the morning, UTC+14 is two dates ahead of the last complete UTC date."""
    return dg.DailyPartitionsDefinition(start_date=_start(settings), end_offset=2, fmt=DAY_FORMAT)


def _start(settings: Settings) -> datetime:
    return datetime.combine(settings.history_start, time(), tzinfo=UTC)
