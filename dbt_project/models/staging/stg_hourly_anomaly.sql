with

hourly_anomaly as (select * from {{ source('rollups', 'hourly_anomaly') }}),

hours as (
    select
        app_id,
        metric,
        period_start,
        local_date,
        local_hour,
        utc_offset_minutes,
        current_value,
        previous_value,
        change_pct,
        expected_value,
        deviation,
        weeks_compared,
        is_partial,
        is_anomaly,
        computed_at
    from hourly_anomaly
)

select * from hours
