-- What a backfill would change: closed hours and days as they are stored beside what was computed, by metric and day.
-- Uniques of hours are never added up to a day: for them only the number of cells that differ is told.
create table backfill_preview.difference as
with
stored as (
    select *
    from rollups.metric
    where
        grain in ('hour', 'day')
        and local_date between %(first)s and %(last)s
        and (%(apps)s::text[] = '{}' or app_id = any(%(apps)s))
        and exists (
            select
            from rollups.periods
            where
                periods.table_name = 'metric'
                and periods.app_id = metric.app_id
                and periods.grain = metric.grain
                and periods.period_start = metric.period_start
                and periods.period_end + interval '5 minutes' <= %(now)s
        )
        and not exists (
            select from control.app where app.app_id = metric.app_id and app.lake_floor > metric.period_start
        )
),

computed as (
    select * from backfill_preview.metric
),

cells as (
    select
        app_id,
        grain,
        local_date,
        dimension = 'total' and traffic = 'all' as is_total,
        both_sides.metric,
        both_sides.stored,
        both_sides.computed
    from stored
    full join
        computed
        using (app_id, grain, period_start, local_date, traffic, dimension, value_kind, value)
    cross join
        lateral (
            values
            ('events', stored.events, computed.events),
            ('page_views', stored.page_views, computed.page_views),
            ('users', stored.users, computed.users),
            ('visitors', stored.visitors, computed.visitors),
            ('sessions', stored.sessions, computed.sessions)
        ) as both_sides (metric, stored, computed)
)

select
    app_id,
    grain,
    local_date,
    metric,
    case when grain = 'day' or metric in ('events', 'page_views')
        then coalesce(sum(stored) filter (where is_total), 0)::bigint
    end as stored,
    case when grain = 'day' or metric in ('events', 'page_views')
        then coalesce(sum(computed) filter (where is_total), 0)::bigint
    end as computed,
    count(*) filter (where stored is distinct from computed) as cells
from cells
group by app_id, grain, local_date, metric
having count(*) filter (where stored is distinct from computed) > 0
