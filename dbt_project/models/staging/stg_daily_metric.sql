with

metric as (select * from {{ source('rollups', 'daily_metric') }}),

days as (
    select
        app_id,
        period_start,
        local_date,
        dimension,
        value_kind,
        value,
        {{ both_traffics() }}
    from metric
    where grain = 'day'
    group by app_id, period_start, local_date, dimension, value_kind, value
)

select * from days
