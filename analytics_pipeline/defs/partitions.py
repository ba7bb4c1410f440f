"""Partitions: UTC hours, and local dates. Tenants are never part of a key."""

from datetime import UTC, datetime, time, timedelta

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


def weekly(settings: Settings) -> dg.WeeklyPartitionsDefinition:
    """Mondays. Week P owns the local weeks that begin in it, on whichever day an app's begin; see `lanes.partition_of`.

    The first one holds EVENTMILL_HISTORY_START.
    """
    monday = first_partition("week", settings)
    return dg.WeeklyPartitionsDefinition(start_date=monday, day_offset=1, end_offset=2, fmt=DAY_FORMAT)


def monthly(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """First dates of months. The first month holds EVENTMILL_HISTORY_START."""
    return dg.MonthlyPartitionsDefinition(start_date=first_partition("month", settings), end_offset=2, fmt=DAY_FORMAT)


def first_partition(grain: str, settings: Settings) -> datetime:
    """Start of the first partition of a grain."""
    start = _start(settings)
    if grain == "week":
        return start - timedelta(days=start.weekday())
    return start.replace(day=1) if grain == "month" else start


def key_format(grain: str) -> str:
    """How the start of a grain's partition is written in its key."""
    return HOUR_FORMAT if grain == "hour" else DAY_FORMAT


def _start(settings: Settings) -> datetime:
    return datetime.combine(settings.history_start, time(), tzinfo=UTC)
