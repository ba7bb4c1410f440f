-- The rows of rollups.metric: `result` (one row a cut, `other` too) with its period's labels, once per traffic.
select
    wanted.app_id,
    wanted.grain,
    wanted.period_start,
    wanted.local_date,
    wanted.local_hour,
    wanted.utc_offset_minutes,
    'all' as traffic,
    result.dimension,
    result.value_kind,
    result.value,
    result.events,
    result.page_views,
    result.users,
    result.visitors,
    result.sessions
from result
inner join wanted using (period_id)
where result.is_kept
union all
select
    wanted.app_id,
    wanted.grain,
    wanted.period_start,
    wanted.local_date,
    wanted.local_hour,
    wanted.utc_offset_minutes,
    'human' as traffic,
    result.dimension,
    result.value_kind,
    result.value,
    result.human_events as events,
    result.human_page_views as page_views,
    result.human_users as users,
    result.human_visitors as visitors,
    result.human_sessions as sessions
from result
inner join wanted using (period_id)
where result.is_kept_of_humans
