with

metric as (select * from {{ source('rollups', 'weekly_metric') }}),

weeks as (
    select
        app_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        {{ both_traffics() }}
    from metric
    where grain = 'week'
    group by app_id, period_start, local_date, dimension, value_kind, value
)

select * from weeks
