with

cohort as (select * from {{ source('control', 'cohort') }}),

definitions as (
    select
        app_id,
        cohort_id,
        identifier,
        name,
        definition,
        created_at,
        updated_at
    from cohort
)

select * from definitions
