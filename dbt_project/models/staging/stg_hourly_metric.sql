with

metric as (select * from {{ source('rollups', 'hourly_metric') }}),

hours as (
    select
        app_id,
        period_start,
        local_date,
        local_hour,
        utc_offset_minutes,
        dimension,
        value_kind,
        value,
        {{ both_traffics() }}
    from metric
    where grain = 'hour'
    group by app_id, period_start, local_date, local_hour, utc_offset_minutes, dimension, value_kind, value
)

select * from hours
