-- The rows of rollups.metric for weeks and months: sums are added, actors and sessions counted once.
with
actors as (
    select
        long_value.period_id,
        long_value.traffic,
        long_value.dimension,
        long_value.kept_kind as value_kind,
        long_value.kept_value as value,
        actor_days.actor,
        bool_or(actor_days.is_user) as is_user,
        sum(case when long_value.traffic = 'all' then actor_days.events else actor_days.human_events end) as events,
        sum(
            case when long_value.traffic = 'all' then actor_days.page_views else actor_days.human_page_views end
        ) as page_views
    from actor_days
    inner join long_day using (app_id, local_date)
    inner join long_value
        on
            long_day.period_id = long_value.period_id
            and actor_days.dimension = long_value.dimension
            and actor_days.value_kind = long_value.value_kind
            and actor_days.value = long_value.value
            and (long_value.traffic = 'all' or actor_days.human_events > 0)
    group by all
),

by_actors as (
    select
        period_id,
        traffic,
        dimension,
        value_kind,
        value,
        sum(events)::bigint as events,
        sum(page_views)::bigint as page_views,
        count(*) filter (where is_user) as users,
        count(*) as visitors
    from actors
    group by all
),

sessions as (
    select distinct
        long_value.period_id,
        long_value.traffic,
        long_value.dimension,
        long_value.kept_kind as value_kind,
        long_value.kept_value as value,
        session_days.session_key
    from session_days
    inner join long_day using (app_id, local_date)
    inner join long_value
        on
            long_day.period_id = long_value.period_id
            and session_days.dimension = long_value.dimension
            and session_days.value_kind = long_value.value_kind
            and session_days.value = long_value.value
            and session_days.traffic in ('both', long_value.traffic)
),

by_sessions as (
    select
        period_id,
        traffic,
        dimension,
        value_kind,
        value,
        count(*) as sessions
    from sessions
    group by all
)

select
    wanted.app_id,
    wanted.grain,
    wanted.period_start,
    wanted.local_date,
    wanted.local_hour,
    wanted.utc_offset_minutes,
    by_actors.traffic,
    by_actors.dimension,
    by_actors.value_kind,
    by_actors.value,
    by_actors.events,
    by_actors.page_views,
    by_actors.users,
    by_actors.visitors,
    coalesce(by_sessions.sessions, 0) as sessions
from by_actors
left join by_sessions using (period_id, traffic, dimension, value_kind, value)
inner join wanted using (period_id)
