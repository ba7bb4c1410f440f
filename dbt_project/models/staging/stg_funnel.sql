with

funnel as (select * from {{ source('control', 'funnel') }}),

definitions as (
    select
        app_id,
        funnel_id,
        identifier,
        name,
        definition,
        created_at,
        updated_at
    from funnel
)

select * from definitions
