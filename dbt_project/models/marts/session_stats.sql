with

sessions as (select * from {{ ref('stg_session_metric') }}),

final as (
    select
        app_id,
        local_date as date,
        dimension as dimension_name,
        value_kind as dimension_kind,
        {{ dimension_value() }} as dimension,
        sessions_started,
        sessions_with_views,
        bounces,
        views,
        events,
        duration_seconds,
        round(100.0 * bounces / nullif(sessions_with_views, 0), 2)::numeric(5, 2) as bounce_rate,
        duration_seconds / nullif(sessions_started, 0) as avg_session_duration,
        views::double precision / nullif(sessions_started, 0) as views_per_session,
        computed_at
    from sessions
)

select * from final
