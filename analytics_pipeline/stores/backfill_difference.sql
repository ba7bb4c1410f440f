-- What a backfill would change: the periods in backfill_preview.period as they are stored beside what was computed, by
-- metric and local date. Uniques of hours are never added up to a day: for them only the number of cells that differ is
-- told.
create table backfill_preview.difference as
with
stored_metric as (
    select metric.*
    from rollups.metric
    inner join backfill_preview.period using (app_id, grain, period_start)
    where period.table_name = 'metric'
),

stored_sessions as (
    select session_metric.*
    from rollups.session_metric
    inner join backfill_preview.period using (app_id, grain, period_start)
    where period.table_name = 'sessions'
),

stored_revenue as (
    select revenue.*
    from rollups.revenue
    inner join backfill_preview.period using (app_id, grain, period_start)
    where period.table_name = 'sessions'
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
    from stored_metric as stored
    full join
        backfill_preview.metric as computed
        using (app_id, grain, period_start, local_date, traffic, dimension, value_kind, value)
    cross join
        lateral (
            values
            ('events', stored.events::numeric, computed.events::numeric),
            ('page_views', stored.page_views, computed.page_views),
            ('users', stored.users, computed.users),
            ('visitors', stored.visitors, computed.visitors),
            ('sessions', stored.sessions, computed.sessions)
        ) as both_sides (metric, stored, computed)
    union all
    select
        app_id,
        grain,
        local_date,
        dimension = 'total' and traffic = 'all' as is_total,
        both_sides.metric,
        both_sides.stored,
        both_sides.computed
    from stored_sessions as stored
    full join
        backfill_preview.session_metric as computed
        using (app_id, grain, period_start, local_date, traffic, dimension, value_kind, value)
    cross join
        lateral (
            values
            ('sessions_started', stored.sessions_started::numeric, computed.sessions_started::numeric),
            ('sessions_with_views', stored.sessions_with_views, computed.sessions_with_views),
            ('bounces', stored.bounces, computed.bounces),
            ('session_views', stored.views, computed.views),
            ('session_events', stored.events, computed.events),
            ('session_seconds', stored.duration_seconds::numeric, computed.duration_seconds::numeric)
        ) as both_sides (metric, stored, computed)
    union all
    select
        app_id,
        grain,
        local_date,
        dimension = 'total' and traffic = 'all' as is_total,
        concat_ws(' ', 'revenue', nullif(currency, '')) as metric,
        stored.revenue as stored,
        computed.revenue as computed
    from stored_revenue as stored
    full join
        backfill_preview.revenue as computed
        using (app_id, grain, period_start, local_date, traffic, dimension, value_kind, value, currency)
)

select
    app_id,
    grain,
    local_date,
    metric,
    case when grain <> 'hour' or metric not in ('users', 'visitors', 'sessions')
        then trim_scale(coalesce(sum(stored) filter (where is_total), 0))
    end as stored,
    case when grain <> 'hour' or metric not in ('users', 'visitors', 'sessions')
        then trim_scale(coalesce(sum(computed) filter (where is_total), 0))
    end as computed,
    count(*) filter (where stored is distinct from computed) as cells
from cells
group by app_id, grain, local_date, metric
having count(*) filter (where stored is distinct from computed) > 0
