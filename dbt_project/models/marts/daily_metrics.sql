with

days as (select * from {{ ref('stg_daily_metric') }}),

-- Each cut is its own exact count: unique counts of a finer cut never add up to those of a coarser one.
cuts as (
    select
        *,
        dimension in ('total', 'event_name') as is_all_sources,
        dimension in ('total', 'source') as is_all_event_names
    from days
    where
        dimension = 'total'
        or (dimension in ('source', 'event_name', 'source_event_name') and value_kind = 'value')
),

final as (
    select
        app_id,
        local_date as date,
        is_all_sources,
        is_all_event_names,
        case dimension
            when 'source' then value
            when 'source_event_name' then value::jsonb ->> 0
            else 'all'
        end as source,
        case dimension
            when 'event_name' then value
            when 'source_event_name' then value::jsonb ->> 1
            else 'all'
        end as event_name,
        users as unique_users,
        visitors as unique_visitors,
        sessions as total_sessions,
        events as event_count,
        page_views,
        computed_at
    from cuts
)

select * from final
