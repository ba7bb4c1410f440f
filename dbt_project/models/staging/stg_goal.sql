with

goal as (select * from {{ source('control', 'goal') }}),

definitions as (
    select
        app_id,
        goal_id,
        identifier,
        name,
        definition,
        created_at,
        updated_at
    from goal
)

select * from definitions
