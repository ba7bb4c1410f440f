with

hours as (select * from {{ ref('stg_hourly_metric') }}),

final as (
    select
        app_id,
        local_date as date,
        local_hour::integer as hour,
        utc_offset_minutes::integer as utc_offset_minutes,
        value as event_type,
        events as event_count,
        users as unique_users,
        visitors as unique_visitors,
        sessions as unique_sessions,
        computed_at
    from hours
    where dimension = 'event_type' and value_kind = 'value'
)

select * from final
