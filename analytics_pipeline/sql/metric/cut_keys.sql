-- What does not add up, for every cut: its distinct users, visitors and sessions, one row a key.
-- `is_human` says whether any human event carries the key: the traffic `human` counts just those.
create or replace temp table cut_keys as
with
keys as (
    unpivot counted
    on user_key as 'users', visitor_key as 'visitors', session_key as 'sessions'
    into name key_kind value key
),

-- Most events repeat a key within the same finest cut: the five cuts by event read this small table.
finest as (
    select
        period_id,
        source,
        event_type,
        event_name,
        key_kind,
        key,
        bool_or(is_human) as is_human
    from keys
    group by all
),

by_event as (
    select
        period_id,
        dimension_of(grouping(source, event_type, event_name)) as dimension,
        value_of(grouping(source, event_type, event_name), source, event_type, event_name) as value,
        key_kind,
        key,
        bool_or(is_human) as is_human
    from finest
    group by grouping sets (
        (period_id, key_kind, key),
        (period_id, source, key_kind, key),
        (period_id, event_type, key_kind, key),
        (period_id, event_name, key_kind, key),
        (period_id, source, event_name, key_kind, key)
    )
),

by_page as (
    select
        period_id,
        'page_url' as dimension,
        page_url as value,
        key_kind,
        key,
        bool_or(is_human) as is_human
    from keys
    where is_view
    group by all
),

united as (
    from by_event
    union all
    from by_page
)

select
    period_id,
    dimension,
    kind_of(dimension, value) as value_kind,
    coalesce(value, '') as value,
    key_kind,
    key,
    is_human
from united
