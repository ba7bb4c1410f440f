-- rollups.metric: one row a cut and traffic. Uniques are exact per grain and never added up.
with
uniques as (
    select
        period_id,
        dimension,
        value_kind,
        value,
        count(*) filter (where key_kind = 'users') as users,
        count(*) filter (where key_kind = 'users' and is_human) as human_users,
        count(*) filter (where key_kind = 'visitors') as visitors,
        count(*) filter (where key_kind = 'visitors' and is_human) as human_visitors,
        count(*) filter (where key_kind = 'sessions') as sessions,
        count(*) filter (where key_kind = 'sessions' and is_human) as human_sessions
    from cut_keys
    group by all
)

select
    period_id,
    dimension,
    value_kind,
    value,
    events,
    human_events,
    page_views,
    human_page_views,
    coalesce(users, 0) as users,
    coalesce(human_users, 0) as human_users,
    coalesce(visitors, 0) as visitors,
    coalesce(human_visitors, 0) as human_visitors,
    coalesce(sessions, 0) as sessions,
    coalesce(human_sessions, 0) as human_sessions
from cut_counts
left join uniques using (period_id, dimension, value_kind, value)
