with

weeks as (select * from {{ ref('stg_weekly_metric') }}),

final as (
    select
        app_id,
        local_date as date,
        value as event_type,
        events as event_count,
        users as unique_users,
        visitors as unique_visitors,
        sessions as unique_sessions,
        computed_at
    from weeks
    where dimension = 'event_type' and value_kind = 'value'
)

select * from final
