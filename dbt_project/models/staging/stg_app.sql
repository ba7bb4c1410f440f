with

app as (select * from {{ source('control', 'app') }}),

apps as (
    select
        app_id,
        name,
        time_zone,
        week_start
    from app
    where deleted_at is null
)

select * from apps
