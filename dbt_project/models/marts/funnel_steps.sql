with

steps as (select * from {{ ref('stg_funnel_step') }}),

funnel as (select * from {{ ref('stg_funnel') }}),

paths as (
    select
        *,
        first_value(users) over path as entered,
        lag(users) over path as users_before
    from steps
    window path as (partition by app_id, funnel_id, breakdown_kind, breakdown_value order by step_no)
),

final as (
    select
        paths.app_id,
        paths.funnel_id::text as funnel_id,
        funnel.name as funnel_name,
        paths.breakdown_kind,
        {{ dimension_value('paths.breakdown_kind', 'paths.breakdown_value') }} as breakdown,
        paths.step_no as step,
        paths.step_name,
        paths.users,
        round(100.0 * paths.users / nullif(paths.entered, 0), 2)::numeric(5, 2) as conversion_from_start,
        round(100.0 * paths.users / nullif(paths.users_before, 0), 2)::numeric(5, 2) as conversion_from_previous,
        round(100.0 * (paths.users_before - paths.users) / nullif(paths.users_before, 0), 2)::numeric(5, 2)
            as dropoff_percent,
        paths.in_progress,
        paths.median_seconds,
        paths.mean_seconds,
        paths.range_from,
        paths.range_to,
        paths.window_seconds,
        paths.complete_through,
        paths.computed_at
    from paths
    inner join funnel on paths.funnel_id = funnel.funnel_id
)

select * from final
