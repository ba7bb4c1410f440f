with

metric as (select * from {{ source('rollups', 'monthly_metric') }}),

months as (
    select
        app_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        {{ both_traffics() }}
    from metric
    where grain = 'month'
    group by app_id, period_start, local_date, dimension, value_kind, value
)

select * from months
