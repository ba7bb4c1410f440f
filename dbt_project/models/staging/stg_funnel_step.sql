with

funnel_step as (select * from {{ source('rollups', 'funnel_step') }}),

steps as (
    select
        app_id,
        funnel_id,
        breakdown_kind,
        breakdown_value,
        step_no,
        step_name,
        users,
        in_progress,
        median_seconds,
        mean_seconds,
        range_from,
        range_to,
        window_seconds,
        complete_through,
        computed_at
    from funnel_step
)

select * from steps
