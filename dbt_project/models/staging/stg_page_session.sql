with

page_session as (select * from {{ source('rollups', 'page_session') }}),

human as (
    select
        app_id,
        period_start,
        local_date,
        page_url,
        sessions,
        bounces,
        duration_seconds,
        computed_at
    from page_session
    where traffic = 'human'
)

select * from human
