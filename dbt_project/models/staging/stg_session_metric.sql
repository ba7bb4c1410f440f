with

session_metric as (select * from {{ source('rollups', 'session_metric') }}),

human_days as (
    select
        app_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        sessions_started,
        sessions_with_views,
        bounces,
        views,
        events,
        duration_seconds,
        computed_at
    from session_metric
    where grain = 'day' and traffic = 'human'
)

select * from human_days
