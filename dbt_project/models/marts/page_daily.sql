with

days as (select * from {{ ref('stg_daily_metric') }}),

session_metric as (select * from {{ ref('stg_session_metric') }}),

views as (
    select
        app_id,
        local_date,
        value as page_url,
        page_views,
        visitors,
        0::bigint as sessions,
        0::bigint as bounces,
        0::double precision as duration_seconds,
        computed_at
    from days
    where dimension = 'page_url' and value_kind = 'value' and page_views > 0
),

entries as (
    select
        app_id,
        local_date,
        value as page_url,
        0::bigint as page_views,
        0::bigint as visitors,
        sessions_started as sessions,
        bounces,
        duration_seconds,
        computed_at
    from session_metric
    where dimension = 'entry_page' and value_kind = 'value' and sessions_started > 0
),

-- A union, not a full join: PostgreSQL pushes an app and a range of dates through it down to the index. A session
-- that began before midnight may have its entry page on a day without any view of that page.
both_sides as (
    select * from views
    union all
    select * from entries
),

pages as (
    select
        app_id,
        local_date,
        page_url,
        sum(page_views)::bigint as view_count,
        sum(visitors)::bigint as unique_visitors,
        sum(sessions)::bigint as sessions,
        sum(bounces)::bigint as bounces,
        sum(duration_seconds) as duration_seconds,
        max(computed_at) as computed_at
    from both_sides
    group by app_id, local_date, page_url
),

final as (
    select
        md5(app_id || '|' || page_url || '|' || to_char(local_date, 'YYYY-MM-DD')) as id,
        app_id,
        page_url || '|' || to_char(local_date, 'YYYY-MM-DD') as identifier,
        page_url,
        local_date as date,
        view_count,
        unique_visitors,
        round(100.0 * bounces / nullif(sessions, 0), 2)::numeric(5, 2) as bounce_rate,
        duration_seconds / nullif(sessions, 0) as avg_session_duration,
        computed_at
    from pages
)

select * from final
