{%- set origins = "('total', 'channel', 'referrer_host', 'utm_source', 'utm_medium', 'utm_campaign')" %}

with

session_metric as (select * from {{ ref('stg_session_metric') }}),

goal_metric as (select * from {{ ref('stg_goal_metric') }}),

revenue as (select * from {{ ref('stg_revenue') }}),

-- A union, not joins: PostgreSQL pushes an app and a range of dates through it down to each index.
measures as (
    select
        app_id,
        local_date,
        dimension,
        value_kind,
        value,
        sessions_started,
        sessions_with_views,
        bounces,
        views,
        duration_seconds,
        0::bigint as conversions,
        null::text as currency,
        null::numeric(38, 6) as revenue,
        computed_at
    from session_metric
    where dimension in {{ origins }}
    union all
    select
        app_id,
        local_date,
        dimension,
        value_kind,
        value,
        0::bigint as sessions_started,
        0::bigint as sessions_with_views,
        0::bigint as bounces,
        0::bigint as views,
        0::double precision as duration_seconds,
        sessions as conversions,
        null::text as currency,
        null::numeric(38, 6) as revenue,
        computed_at
    from goal_metric
    where dimension in {{ origins }}
    union all
    select
        app_id,
        local_date,
        dimension,
        value_kind,
        value,
        0::bigint as sessions_started,
        0::bigint as sessions_with_views,
        0::bigint as bounces,
        0::bigint as views,
        0::double precision as duration_seconds,
        0::bigint as conversions,
        currency,
        revenue,
        computed_at
    from revenue
    where dimension in {{ origins }}
),

origins as (
    select
        app_id,
        local_date,
        dimension,
        value_kind,
        value,
        sum(sessions_started)::bigint as sessions,
        sum(sessions_with_views)::bigint as sessions_with_views,
        sum(bounces)::bigint as bounces,
        sum(views)::bigint as views,
        sum(duration_seconds) as duration_seconds,
        sum(conversions)::bigint as conversions,
        -- One currency: a sum over several would mean nothing.
        case when min(currency) = max(currency) then min(currency) end as currency,
        case when min(currency) = max(currency) then sum(revenue) end as revenue,
        max(computed_at) as computed_at
    from measures
    group by app_id, local_date, dimension, value_kind, value
),

final as (
    select
        app_id,
        local_date as date,
        dimension as dimension_name,
        value_kind as dimension_kind,
        {{ dimension_value() }} as dimension,
        sessions,
        sessions_with_views,
        bounces,
        views,
        duration_seconds,
        round(100.0 * bounces / nullif(sessions_with_views, 0), 2)::numeric(5, 2) as bounce_rate,
        duration_seconds / nullif(sessions, 0) as avg_session_duration,
        conversions,
        currency,
        revenue::numeric(38, 6) as revenue,
        computed_at
    from origins
)

select * from final
