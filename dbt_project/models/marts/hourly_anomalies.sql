with

hours as (select * from {{ ref('stg_hourly_anomaly') }}),

final as (
    select
        app_id,
        local_date as date,
        local_hour::integer as hour,
        utc_offset_minutes::integer as utc_offset_minutes,
        metric,
        current_value as current_views,
        previous_value as prev_views,
        change_pct,
        expected_value,
        deviation,
        weeks_compared,
        is_partial,
        is_anomaly,
        computed_at
    from hours
)

select * from final
