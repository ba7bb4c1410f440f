with

revenue as (select * from {{ source('rollups', 'revenue') }}),

human_days as (
    select
        app_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        currency,
        events,
        revenue,
        computed_at
    from revenue
    where grain = 'day' and traffic = 'human'
)

select * from human_days
