"""Periods whose rows in Postgres contradict each other: somebody has deleted or changed some of them."""

from collections.abc import Iterable
from datetime import UTC, datetime

import psycopg

from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import MOMENT, Grain, Period
from analytics_pipeline.stores import periods as period_store

_GRAINS: dict[str, Grain] = {"hour": "hour", "day": "day", "week": "week", "month": "month"}
RowPeriod = tuple[str, str, datetime]
# Every event has one value of each dimension, and so has every session: the values of a dimension add up to the total.
# Pages are left out, for not every event has one.
_CUTS = {
    "metric": ("rollups.metric", "events", "dimension <> 'page_url'"),
    "sessions": ("rollups.session_metric", "sessions_started", "dimension not in ('entry_page', 'exit_page')"),
}
# A week's or month's events are those of its days, where all of them were computed from the same or a newer lake.
_LONG = """
with longer as (
    select metric.app_id, metric.grain, metric.period_start, metric.events, periods.period_end
    from rollups.metric
    inner join rollups.periods using (app_id, grain, period_start)
    where metric.grain in ('week', 'month') and metric.dimension = 'total' and metric.traffic = 'all'
        and periods.table_name = 'metric' and periods.dirty_since is null and periods.computed_at >= %(since)s
),
parts as (
    select longer.app_id, longer.grain, longer.period_start, sum(day.events) as events
    from longer
    inner join rollups.metric as day
        on day.app_id = longer.app_id and day.grain = 'day' and day.dimension = 'total' and day.traffic = 'all'
            and day.period_start >= longer.period_start and day.period_start < longer.period_end
    group by longer.app_id, longer.grain, longer.period_start
)
select app_id, grain, period_start from longer left join parts using (app_id, grain, period_start)
where longer.events is distinct from parts.events and not exists (
    select from rollups.periods as behind
    where behind.table_name = 'metric' and behind.grain = 'day' and behind.app_id = longer.app_id
        and behind.dirty_since is not null
        and behind.period_start >= longer.period_start and behind.period_start < longer.period_end
)
"""


def broken(connection: psycopg.Connection, table_name: str, since: datetime) -> set[RowPeriod]:
    """App, grain and start of the periods of a table, computed since then and clean, whose cuts do not add up."""
    if table_name not in _CUTS:
        return set()
    table, number, condition = _CUTS[table_name]
    rows = connection.execute(
        f"with cuts as (select app_id, grain, period_start, traffic, dimension, sum({number}) as number"
        f"  from {table} inner join rollups.periods using (app_id, grain, period_start)"
        "  where table_name = %s and dirty_since is null and periods.computed_at >= %s"
        f"   and {condition} group by app_id, grain, period_start, traffic, dimension)"
        " select distinct app_id, grain, period_start from cuts left join"
        "  (select * from cuts where dimension = 'total') as total using (app_id, grain, period_start, traffic)"
        " where cuts.number is distinct from total.number",
        [table_name, since],
    ).fetchall()
    if table_name == "metric":
        rows += connection.execute(_LONG, {"since": since}).fetchall()
    return {(app_id, grain, start.astimezone(UTC)) for app_id, grain, start in rows}


def periods_of(connection: psycopg.Connection, keys: Iterable[RowPeriod]) -> list[Period]:
    """The periods of these keys, as their apps' zones have them now; apps that are gone are left out."""
    zones = period_store.zones(connection)
    week_starts = period_store.week_starts(connection)
    return [
        next(calendar.meeting(_GRAINS[grain], app_id, zones[app_id], start, start + MOMENT, week_starts.get(app_id, 1)))
        for app_id, grain, start in sorted(keys)
        if app_id in zones
    ]


def marts_that_differ(connection: psycopg.Connection) -> list[str]:
    """A line for each app whose marts show other numbers of events than the rollups, and for each mart that is gone."""
    lines = []
    for mart, grain in (("daily_stats", "day"), ("hourly_stats", "hour")):
        row = connection.execute("select to_regclass(%s) is not null", [f"marts.{mart}"]).fetchone()
        if row is None or not row[0]:
            lines.append(f"marts.{mart} is missing: `eventmill migrate` builds it")
            continue
        differing = connection.execute(
            "select app_id, rollup.events, mart.events from"
            " (select app_id, sum(events) as events from rollups.metric"
            "   where grain = %s and traffic = 'all' and dimension = 'event_type' and value_kind = 'value'"
            "   group by app_id) as rollup full join"
            f" (select app_id, sum(event_count) as events from marts.{mart} group by app_id) as mart using (app_id)"
            " where rollup.events is distinct from mart.events order by app_id",
            [grain],
        ).fetchall()
        lines += [
            f"marts.{mart} of {app}: {shown or 0} events, rollups {stored or 0}" for app, stored, shown in differing
        ]
    return lines
