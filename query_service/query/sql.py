"""Chooses the mart that answers a question, and writes the statement: fixed text, every value bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from query_service.query.model import EACH, AccountingQuery, DailyQuery, TodayQuery, TopPagesQuery
from query_service.query.ranges import DateRange
from query_service.query.timeseries import TimeseriesQuery

METRIC = "metric"
SESSIONS = "sessions"

_DAILY: LiteralString = """
    select date, source, event_name, event_count as events, unique_users as users, unique_visitors as visitors,
        total_sessions as sessions
    from marts.daily_metrics
    where app_id = %(app_id)s and date >= %(start)s and date < %(end)s
        and is_all_sources = %(is_all_sources)s and is_all_event_names = %(is_all_event_names)s
        and (%(source)s::text is null or source = %(source)s)
        and (%(event_name)s::text is null or event_name = %(event_name)s)
        and (%(after_date)s::date is null
            or (date, source, event_name) > (%(after_date)s::date, %(after_source)s, %(after_event_name)s))
    order by date, source, event_name
    limit %(limit)s
"""
_BY_DAY: LiteralString = """
    select date, sum(event_count)::bigint as value
    from marts.daily_stats
    where app_id = %(app_id)s and date >= %(start)s and date < %(end)s
        and (%(event_type)s::text is null or event_type = %(event_type)s)
    group by date
"""
_BY_HOUR: LiteralString = """
    select timestamp, sum(event_count)::bigint as value
    from (
        select event_count, (date + make_interval(hours => hour, mins => -utc_offset_minutes)) at time zone 'UTC'
            as timestamp
        from marts.hourly_stats
        where app_id = %(app_id)s and date >= %(start_date)s and date <= %(end_date)s
            and (%(event_type)s::text is null or event_type = %(event_type)s)
    ) as hours
    where timestamp >= %(start)s and timestamp < %(end)s
    group by timestamp
"""
# Views, sessions, bounces and durations add up over days; visitors do not, so several days have none.
_TOP_PAGES: LiteralString = """
    with pages as (
        select page_url, sum(view_count)::bigint as view_count,
            case when %(days)s = 1 then max(unique_visitors) end as unique_visitors
        from marts.page_daily
        where app_id = %(app_id)s and date >= %(start)s and date < %(end)s and view_count > 0
        group by page_url
        order by view_count desc, page_url
        limit %(limit)s
    ),
    entries as (
        select value as page_url, sum(sessions_started) as sessions, sum(sessions_with_views) as sessions_with_views,
            sum(bounces) as bounces, sum(duration_seconds) as duration_seconds
        from staging.stg_session_metric
        where app_id = %(app_id)s and local_date >= %(start)s and local_date < %(end)s
            and dimension = 'entry_page' and value_kind = 'value' and value in (select page_url from pages)
        group by value
    )
    select page_url, view_count, unique_visitors,
        round(100 * bounces / nullif(sessions_with_views, 0), 2)::double precision as bounce_rate,
        duration_seconds / nullif(sessions, 0)::double precision as avg_session_duration
    from pages
    left join entries using (page_url)
    order by view_count desc, page_url
"""
_TODAY: LiteralString = """
    select %(date)s::date as date, coalesce(sum(event_count), 0)::bigint as events,
        coalesce(sum(page_views), 0)::bigint as page_views, coalesce(sum(unique_users), 0)::bigint as users,
        coalesce(sum(unique_visitors), 0)::bigint as visitors, coalesce(sum(total_sessions), 0)::bigint as sessions
    from marts.daily_metrics
    where app_id = %(app_id)s and date = %(date)s and is_all_sources and is_all_event_names
"""
# An hour of arrival is a UTC hour, and belongs to the local day in which it starts.
_ACCOUNTING: LiteralString = """
    with hours as (
        select *, case when %(is_daily)s
            then date_trunc('day', hour at time zone %(time_zone)s) at time zone %(time_zone)s else hour
            end as timestamp
        from marts.ingest_accounting
        where app_id = %(app_id)s and hour >= %(start)s and hour < %(end)s
    ),
    accounts as (
        select timestamp,
            sum(received)::bigint as received, sum(stored)::bigint as stored,
            sum(window_duplicate)::bigint as window_duplicate, sum(quarantined)::bigint as quarantined,
            sum(filtered)::bigint as filtered, sum(flagged)::bigint as flagged,
            sum(counted)::bigint as counted, sum(later_duplicate)::bigint as later_duplicate,
            bool_and(is_balanced) as balanced, bool_and(is_complete) as complete,
            sum(quarantined)::double precision / nullif(sum(received), 0) as quarantined_fraction,
            max(last_received_at) as last_received_at
        from hours
        group by timestamp
    ),
    by_reason as (
        select timestamp, outcome, reason, sum(events)::bigint as events
        from staging.stg_ingest_reason
        inner join hours using (app_id, hour)
        group by timestamp, outcome, reason
    ),
    by_outcome as (
        select timestamp, outcome, jsonb_object_agg(reason, events) as reasons
        from by_reason
        group by timestamp, outcome
    ),
    reasons as (select timestamp, jsonb_object_agg(outcome, reasons) as reasons from by_outcome group by timestamp)
    select * from accounts
    left join reasons using (timestamp)
    order by timestamp
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement with its values, and which periods decide how fresh and complete its answer is."""

    text: LiteralString
    values: Mapping[str, Any]
    app_id: str
    # Values of rollups.periods.table_name.
    tables: Sequence[str]
    grain: str
    # The instants that the answer covers, half-open.
    covered: tuple[datetime, datetime]


def plan_daily(query: DailyQuery) -> Plan:
    """Rows date, source, event_name, events, users, visitors, sessions; one more than the limit if there are more."""
    cursor = query.cursor
    values = {
        "app_id": query.tenant.app_id,
        "start": query.range.start,
        "end": query.range.end,
        "is_all_sources": query.source is None,
        "is_all_event_names": query.event_name is None,
        "source": None if query.source == EACH else query.source,
        "event_name": None if query.event_name == EACH else query.event_name,
        "after_date": cursor and cursor.date,
        "after_source": cursor and cursor.source,
        "after_event_name": cursor and cursor.event_name,
        "limit": query.limit + 1,
    }
    return Plan(_DAILY, values, query.tenant.app_id, (METRIC,), "day", query.range.instants)


def plan_timeseries(query: TimeseriesQuery) -> Plan:
    """Rows date or timestamp (UTC) and value; periods without events are left out."""
    app_id = query.tenant.app_id
    values: dict[str, Any] = {"app_id": app_id, "event_type": query.event_type}
    if isinstance(query.range, DateRange):
        values |= {"start": query.range.start, "end": query.range.end}
        return Plan(_BY_DAY, values, app_id, (METRIC,), "day", query.range.instants)
    start, end = query.range.instants
    local_dates = (at.astimezone(query.tenant.time_zone).date() for at in (start, end))
    values |= dict(zip(("start_date", "end_date"), local_dates, strict=True))
    return Plan(_BY_HOUR, values | {"start": start, "end": end}, app_id, (METRIC,), "hour", (start, end))


def plan_top_pages(query: TopPagesQuery) -> Plan:
    """Rows page_url, view_count, unique_visitors, bounce_rate, avg_session_duration, most views first."""
    values = {
        "app_id": query.tenant.app_id,
        "start": query.range.start,
        "end": query.range.end,
        "days": query.range.days,
        "limit": query.limit,
    }
    return Plan(_TOP_PAGES, values, query.tenant.app_id, (METRIC, SESSIONS), "day", query.range.instants)


def plan_today(query: TodayQuery) -> Plan:
    """One row date, events, page_views, users, visitors, sessions."""
    values = {"app_id": query.tenant.app_id, "date": query.range.start}
    return Plan(_TODAY, values, query.tenant.app_id, (METRIC,), "day", query.range.instants)


def plan_accounting(query: AccountingQuery) -> Plan:
    """Rows timestamp (UTC), the counts of marts.ingest_accounting, balanced, complete, reasons; none without events."""
    start, end = query.range.instants
    values = {
        "app_id": query.tenant.app_id,
        "start": start,
        "end": end,
        "is_daily": query.is_daily,
        "time_zone": query.tenant.time_zone.key,
    }
    return Plan(_ACCOUNTING, values, query.tenant.app_id, (METRIC,), "hour", (start, end))
