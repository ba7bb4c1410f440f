with

goal_metric as (select * from {{ source('rollups', 'goal_metric') }}),

human as (
    select
        app_id,
        goal_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        events,
        visitors,
        sessions,
        computed_at
    from goal_metric
    where traffic = 'human'
)

select * from human
